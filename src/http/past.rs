//! The past: the World as of an entry or a time, and decisions taken in it.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::audit::{entry, pairs};
use super::guard::{Guarded, ReadAudit};
use super::shown::{InHeader, Shown};
use super::{App, Problem, body};
use crate::audit::{AsOf, At, NotThen, Unseen};
use crate::cedar::on_large_stack;
use crate::event::{Presented, StepUp};
use crate::event_store::EventStore;
use crate::model::{AccessRequest, Index, Moment};
use crate::pdp::{Ask, decide_as_of};
use crate::projection::World;
use crate::sequencer::{RecoverError, fold_to};
use crate::snapshot::Snapshots;
use crate::vault::Sealer;

const AS_OF_INDEX: HeaderName = HeaderName::from_static("countersign-as-of-index");
const AS_OF_TIME: HeaderName = HeaderName::from_static("countersign-as-of-time");
const POLICY_VERSION: HeaderName = HeaderName::from_static("countersign-policy-version");

/// The World after an entry that is not necessarily the newest.
pub struct Past {
    /// The entry.
    pub index: Index,
    /// When it was written.
    pub written: Moment,
    /// The World.
    pub world: World,
}

/// `POST /audit/v1/evaluation?at=INDEX|TIME`: an access evaluation (`AuthZEN` 1.0 §6)
/// decided in the World as of then, at that time: that of the entry, or the one asked
/// for. The body is what a PEP sends. A session token counts if its session was in force
/// then, whatever became of it; since the log holds no tokens, `session=ID` names a
/// session instead. `pep=NAME` says who asks; the auditor, if it is not given.
///
/// Nothing of it is recorded but that the auditor asked, so no PEP may act on it.
///
/// # Errors
/// [`Problem`]: 400 for a parameter or a body that is wrong; 409 `unseen` if the answer may
/// rest on what has been erased since; 503 while another past is being folded.
pub async fn evaluate(
    may: Guarded<ReadAudit>,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let Asked { at, session, pep } = asked(pairs(&request)?)?;
    let pep = pep.unwrap_or_else(|| may.caller.name());
    let mut question = AccessRequest::from_json(&body::json(&app, &request, payload).await?)?;
    let token = InHeader::of(&request).or_in(&mut question)?;
    if token.is_some() && session.is_some() {
        return Err(Problem::bad("bad_query", "`session`: a session token was given as well"));
    }
    question.takes_supported(StepUp::OBLIGATION);
    let now = app.clock.now();
    let answer = looking(turn(&app)?, &app, at, move |past| {
        let time = at.time(past.written, now)?;
        let presented = in_world(&past.world, token, session);
        let ask = Ask { step_up: true, ..Ask::access(question, presented, pep) };
        let taken = decide_as_of(&past.world, &ask, time);
        let version = taken.decided.policies.map_or(0, |set| set.version.0);
        Ok((version, AsOf::new(past.index, taken)?))
    });
    let (version, answer) = answer.await?;
    Ok(told(version, &answer))
}

/// What a query string asks for.
struct Asked {
    at: At,
    session: Option<Uuid>,
    pep: Option<String>,
}

fn asked(pairs: Vec<(String, String)>) -> Result<Asked, Problem> {
    let bad = |name: &str, what: &str| Problem::bad("bad_query", format!("`{name}`: {what}"));
    let (mut at, mut session, mut pep) = (None, None, None);
    for (name, value) in pairs {
        let twice = match name.as_str() {
            "at" => at.replace(value.parse()?).is_some(),
            "session" => {
                let id = value.parse().map_err(|_| bad("session", "expected a session's id"))?;
                session.replace(id).is_some()
            }
            "pep" if value.len() <= NAME_BYTES_MAX => pep.replace(value).is_some(),
            "pep" => return Err(bad("pep", "too long for a name")),
            _ => return Err(bad(&name, "the parameters are at, session and pep")),
        };
        if twice {
            return Err(bad(&name, "given twice: give it once"));
        }
    }
    let at = at.ok_or_else(|| bad("at", "say as of which entry or time"))?;
    Ok(Asked { at, session, pep })
}

/// The longest name of a PEP, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// The session that was presented, as the World of that time knows it.
pub(super) fn in_world(world: &World, token: Option<Shown>, session: Option<Uuid>) -> Presented {
    match (token, session) {
        (_, Some(id)) => Presented::Session(id),
        (None, None) => Presented::Nothing,
        (Some(token), None) => token.in_world(world),
    }
}

/// `AuthZEN`'s answer; in its `context`, as of when and for which reasons.
fn told(version: u64, answer: &AsOf) -> HttpResponse {
    let then = answer.context.as_of;
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((AS_OF_INDEX, then.index.to_string()))
        .insert_header((AS_OF_TIME, then.time.to_string()))
        .insert_header((POLICY_VERSION, version.to_string()))
        .json(answer)
}

/// Takes the turn of who looks at the past. One look at a time, since it may cost a fold of
/// what is between two snapshots.
///
/// # Errors
/// 503 while another past is being looked at.
pub fn turn(app: &App) -> Result<OwnedSemaphorePermit, Problem> {
    let busy = |_| Problem::unavailable("busy", "another past is being looked at; try again");
    Arc::clone(&app.folding).try_acquire_owned().map_err(busy)
}

/// Looks at the World as of then, on a stack that compiling its policies cannot exhaust, for
/// whose turn it is.
///
/// # Errors
/// What `look` says.
pub async fn looking<T: Send + 'static>(
    one_at_a_time: OwnedSemaphorePermit,
    app: &App,
    at: At,
    look: impl FnOnce(Past) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let (live, store) = (app.sequencer.world(), Arc::clone(app.sequencer.store()));
    let back = Lookback::of(app);
    let work = move || {
        // Held until the work is done: who hangs up does not make room for another.
        let _held = one_at_a_time;
        on_large_stack(|| look(back.as_of(&*store, &live, at)?))
            .map_err(|fault| Problem::defect(&fault))?
    };
    body::blocking(work).await?
}

/// What a look into the past takes besides the log.
pub struct Lookback {
    /// Where it begins.
    pub snapshots: Arc<Snapshots>,
    /// What opens what is personal, as far as its keys are there now.
    pub sealer: Sealer,
}

impl Lookback {
    /// A node's.
    #[must_use]
    pub fn of(app: &App) -> Self {
        Self { snapshots: Arc::clone(&app.snapshots), sealer: app.sealer.clone() }
    }

    /// The World as of then.
    ///
    /// # Errors
    /// 400 if there is nothing as of then; 500 for a log that cannot be folded.
    pub fn as_of(&self, store: &dyn EventStore, live: &World, at: At) -> Result<Past, Problem> {
        let index = last(store, live, at)?;
        let world = if live.through == Some(index) {
            live.clone()
        } else {
            self.world_after(store, index)?
        };
        let written = world.last.map_or(Moment::EPOCH, |(written, _)| written);
        Ok(Past { index, written, world })
    }

    /// The World after an entry, folded from the nearest that is known; remembered for the
    /// next who asks.
    ///
    /// # Errors
    /// 500 for a log that cannot be folded.
    pub fn world_after(&self, store: &dyn EventStore, index: Index) -> Result<World, Problem> {
        let begun = self.snapshots.era();
        let start = self.snapshots.before(store, index).unwrap_or_default();
        let defect = |error: RecoverError| Problem::defect(&error);
        let world = fold_to(store, Some(&self.sealer), start, index).map_err(defect)?;
        self.snapshots.remember(&world, begun);
        Ok(world)
    }
}

/// The last entry that counts as of then.
///
/// # Errors
/// 400 if there is none.
pub fn last(store: &dyn EventStore, live: &World, at: At) -> Result<Index, Problem> {
    let size = live.through.map_or(0, |through| through.next().0);
    at.entry(size, |index| entry(store, index).map(|(entry, _)| entry.time))
}

impl From<Unseen> for Problem {
    fn from(error: Unseen) -> Self {
        Self::new(StatusCode::CONFLICT, "unseen", error.to_string())
    }
}

impl From<NotThen> for Problem {
    fn from(error: NotThen) -> Self {
        Self::bad("bad_query", format!("`at`: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_is_not_known_is_named() {
        let pairs = [("at", "0"), ("foo", "1")].map(|(name, value)| (name.into(), value.into()));
        let refused = asked(pairs.into()).err().unwrap();
        assert_eq!(refused.code(), "bad_query");
        assert_eq!(refused.detail(), "`foo`: the parameters are at, session and pep");
    }
}
