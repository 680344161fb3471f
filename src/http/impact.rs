//! `/audit/v1/impact`: what other policies, another schema or other entities would have
//! changed of the accesses that were recorded.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Bytes;
use actix_web::{Error, HttpRequest, HttpResponse, web};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;

use super::guard::{DraftPolicies, Guarded, ReadAudit, ReadPolicies};
use super::policies::{PolicyFile, placed, sources};
use super::{App, Problem, body};
use crate::audit::{Impact, NotAPatch, Since, Supposition, Tally, read_patch};
use crate::cedar::{Limits, on_large_stack};
use crate::model::{Index, Label, PolicySource, SetKind};
use crate::node::{Impacted, NodeError, Weighing, threads, window};
use crate::pap::Draft;
use crate::projection::{Change, World};
use crate::sequencer::Authority;

/// Lines that wait for a caller who reads slowly.
const LINES: usize = 16;
/// How long a line waits for who does not read.
const UNREAD_MAX: Duration = Duration::from_secs(30);
/// How often what has been counted is handed out, to who asked for that.
const PARTIAL: Duration = Duration::from_secs(5);

/// What is supposed, and since when.
#[derive(Deserialize)]
struct Asked {
    files: Option<Vec<PolicyFile>>,
    policies: Option<Vec<PolicySource>>,
    schema: Option<String>,
    entities: Option<Value>,
    since: Option<String>,
    /// What has been counted already.
    resume: Option<Tally>,
    /// Whether to hand out what has been counted, to be gone on from.
    #[serde(default)]
    partials: bool,
}

/// The same, with each of its parts read.
struct Supposed {
    draft: Option<Draft>,
    patch: Vec<Change>,
    since: Option<Since>,
    /// What the draft was read from.
    files: Vec<PolicyFile>,
    resume: Option<Tally>,
    partials: bool,
}

impl Supposed {
    /// # Errors
    /// 400 for a part that is wrong; 422 with each fault of what is not Cedar.
    async fn read(asked: Asked) -> Result<Self, Problem> {
        let Asked { files, policies, schema, entities, since, resume, partials } = asked;
        let since = since.as_deref().map(str::parse::<Since>).transpose()?;
        let patch = entities.as_ref().map(read_patch).transpose()?.unwrap_or_default();
        let some = files.is_some() || policies.is_some();
        let files = files.unwrap_or_default();
        let policies = if some {
            Some(sources(files.clone(), policies.unwrap_or_default()).await?)
        } else {
            None
        };
        let (set, message) = (SetKind::Application, Label::default());
        let draft = (policies.is_some() || schema.is_some()).then_some(Draft {
            set,
            schema,
            policies,
            message,
        });
        Ok(Self { draft, patch, since, files, resume, partials })
    }
}

/// `POST /audit/v1/impact`: decides every recorded access again with the policies (`files`
/// as an author keeps them, or `policies` one by one), the `schema` and the `entities` (a
/// patch of the directory: entities to put, bare names to remove) of the body in place of
/// those of its time. `since` says how far back: `90d`, or a time; all, if it is absent.
///
/// The answer is a stream of JSON lines: `{"progress": {"through", "of"}}` after some
/// thousand entries each, and `{"report"}` as the last, or `{"problem"}`. With `partials`,
/// lines `{"partial"}` hold what has been counted up to there; sent back as `resume`, it is
/// gone on from. It ends early when the caller goes or may not read any more. It takes the
/// permission to draft policies too: a condition of one's own asks for any value, and the
/// answer tells it, be it one that is sealed in the log.
///
/// # Errors
/// [`Problem`]: what a publication of the same would be refused for; 409 `not_resumable`;
/// 503 while another impact is being found out.
pub async fn weigh(
    may: Guarded<ReadAudit>,
    also: Guarded<ReadPolicies>,
    drafts: Guarded<DraftPolicies>,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let busy = |_| Problem::unavailable("busy", "another impact is being found out; try again");
    let alone = Arc::clone(&app.weighing).try_acquire_owned().map_err(busy)?;
    let node = app.clone();
    let read = async move {
        Supposed::read(body::typed(body::publication(&node, &request, payload).await?)?).await
    };
    let (alone, supposed) = body::holding(alone, read).await?;
    let Supposed { draft, patch, since, files, resume, partials } = supposed;
    let node = app.clone();
    let begin = move || begun(&node, draft.as_ref(), patch, since, resume);
    let impact = body::blocking(begin).await?.map_err(|error| placed(error, &files))?;
    let (lines, heard) = channel(LINES);
    let authorities = [may.authority(), also.authority(), drafts.authority()];
    let runtime = Handle::current();
    let job = Job { app, authorities, runtime, lines, partials, _alone: alone };
    // Who hangs up ends it at the next line.
    drop(actix_web::rt::task::spawn_blocking(move || job.done(impact)));
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type("application/x-ndjson")
        .streaming(each(heard)))
}

fn each(heard: Receiver<Bytes>) -> impl futures_util::Stream<Item = Result<Bytes, Error>> {
    stream::unfold(heard, |mut heard| async move { Some((Ok(heard.recv().await?), heard)) })
}

/// An impact before its first entry.
fn begun(
    app: &App,
    draft: Option<&Draft>,
    patch: Vec<Change>,
    since: Option<Since>,
    resume: Option<Tally>,
) -> Result<Impact, NodeError> {
    let (world, store) = (app.sequencer.world(), app.sequencer.store());
    let limits = Limits::default();
    let supposed = on_large_stack(|| Supposition::new(&world, draft, patch, &limits));
    let supposed = supposed.map_err(|fault| NodeError::CannotDecide(fault.message.into()))??;
    let now = app.sequencer.now(&world);
    let from = match (&resume, since) {
        (Some(tally), _) => tally.from(),
        (None, Some(since)) => window(&**store, since.moment(now))?,
        (None, None) => Index(0),
    };
    let next = resume.as_ref().and_then(Tally::through).map_or(from, Index::next);
    let start = next.0.checked_sub(1).and_then(|last| app.snapshots.before(&**store, Index(last)));
    let mut impact = Impact::new(start.unwrap_or_default(), from, supposed);
    if let Some(tally) = resume {
        impact.resume(tally)?;
    }
    Ok(impact)
}

/// What goes on while its caller listens.
struct Job {
    app: web::Data<App>,
    authorities: [Authority; 3],
    /// Where its waiting is timed.
    runtime: Handle,
    lines: Sender<Bytes>,
    partials: bool,
    /// Held until the work is done: who hangs up does not make room for another.
    _alone: OwnedSemaphorePermit,
}

/// Why a job does not come to its end.
enum Stopped {
    /// Nobody listens, or the server ends.
    Unheard,
    /// Who asked may not any more.
    Forbidden,
    /// It cannot be read.
    Failed(NodeError),
}

impl From<NodeError> for Stopped {
    fn from(error: NodeError) -> Self {
        Self::Failed(error)
    }
}

impl Job {
    fn done(self, impact: Impact) {
        let told = match self.weighed(impact) {
            Ok(found) => json!({"report": found}),
            Err(Stopped::Unheard) => return,
            Err(Stopped::Forbidden) => problem(&Problem::forbidden("you may not read it any more")),
            Err(Stopped::Failed(error)) => problem(&Problem::from(error)),
        };
        // If nobody listens by now, nobody is told.
        let _unheard = self.say(&told);
    }

    fn weighed(&self, mut impact: Impact) -> Result<Impacted, Stopped> {
        let begun = Instant::now();
        let store = Arc::clone(self.app.sequencer.store());
        let end = self.app.sequencer.world().through.map_or(0, |through| through.next().0);
        // Half the processors: the rest is for those who wait for decisions.
        let threads = (threads() / 2).max(1);
        let sealer = Some(&self.app.sealer);
        let mut handed = Instant::now();
        Weighing { store: &*store, sealer, threads, end }.weigh(&mut impact, |impact| {
            self.may_go_on()?;
            self.say(&json!({"progress": {"through": impact.next().0, "of": end}}))?;
            if self.partials && handed.elapsed() >= PARTIAL {
                self.say(&json!({"partial": impact.tally()}))?;
                handed = Instant::now();
            }
            Ok::<_, Stopped>(())
        })?;
        if self.partials {
            self.say(&json!({"partial": impact.tally()}))?;
        }
        Ok(Impacted::new(impact.report(), begun, threads))
    }

    fn may_go_on(&self) -> Result<(), Stopped> {
        if self.app.draining.has_begun() {
            return Err(Stopped::Unheard);
        }
        let world = self.app.sequencer.world();
        let now = self.app.sequencer.now(&world);
        let holds = |world: &World| self.authorities.iter().all(|it| it.holds(world, now));
        if holds(&world) { Ok(()) } else { Err(Stopped::Forbidden) }
    }

    fn say(&self, line: &Value) -> Result<(), Stopped> {
        // Who does not read must not keep the next from asking.
        let line = self.lines.send(Bytes::from(format!("{line}\n")));
        let sent = self.runtime.block_on(async { timeout(UNREAD_MAX, line).await });
        sent.ok().and_then(Result::ok).ok_or(Stopped::Unheard)
    }
}

fn problem(problem: &Problem) -> Value {
    json!({"problem": {"code": problem.code(), "detail": problem.detail()}})
}

impl From<NotAPatch> for Problem {
    fn from(error: NotAPatch) -> Self {
        Self::bad("bad_entities", error.to_string())
    }
}
