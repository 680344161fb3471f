//! `countersign policy impact`: what other policies would have changed.

mod page;

pub(super) use page::noted;

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::authored::{self, NamedText};
use super::super::client::Client;
use super::super::console::Console;
use super::super::failure::{Exit, Failure};
use super::super::folder::{Folder, deeply};
use super::super::publication::{placed, read_files};
use super::super::target::{Target, TargetFlags};
use super::super::tiled::Progress;
use crate::audit::{self, Since, Supposition, Tally};
use crate::cedar::Limits;
use crate::clock::{Clock as _, SystemClock};
use crate::event_store::EventStore as _;
use crate::model::{Index, Label, SetKind};
use crate::node::{Impacted, NodeError, Weighing, threads, window};
use crate::pap::Draft;
use crate::projection::Change;

/// How often a partial report is put away.
const KEPT_EVERY: Duration = Duration::from_secs(5);
/// The most bytes of a line from a server: a partial report.
const LINE_BYTES_MAX: u64 = 32 << 20;

/// Show what other policies would have changed of the recorded accesses
///
/// Takes every recorded access again in the state of its own time, with the policies given
/// in place of those then in force, and counts what would have come out otherwise. The
/// recorded decision is taken again first: what does not repeat, or rests on what was
/// erased or never recorded, is counted as not replayable, with why. Nothing is changed.
/// What is in force now may answer otherwise than was recorded; what it answers as the draft
/// does is counted apart, as already so: it is not this change's doing.
///
/// Exit code 0 if this change would change nothing, 1 if it would (or the draft is refused).
#[derive(clap::Args, Debug)]
#[command(
    after_help = "A patch of the directory is a JSON array of entities in Cedar's form, each \
    put in place of\none of the same name, and of bare names, which are removed:\n  \
    [{\"uid\": {\"type\": \"User\", \"id\": \"bob\"}, \"attrs\": {}, \"parents\": []},\n   \
    {\"type\": \"User\", \"id\": \"mallory\"}]\n\n\
    Examples:\n  \
    countersign policy impact policies/cloud --since 90d --data ./data\n  \
    countersign policy impact --entities without-bob.json --server https://pdp.example.com\n  \
    countersign policy impact policies/cloud --resume impact.partial --data ./data"
)]
pub(super) struct Impact {
    /// Cedar policies, the whole set: files, or folders of *.cedar files [default: those in
    /// force at each time]
    #[arg(value_name = "DIR|FILE")]
    policies: Vec<PathBuf>,
    /// Another schema [default: the one in force now]
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Entities to put and to remove, a patch of the directory of each time
    #[arg(long, value_name = "FILE")]
    entities: Option<PathBuf>,
    /// Only accesses since then: so long ago (90d, 12h), or a time [default: all]
    #[arg(long, value_name = "AGO|TIME")]
    since: Option<Since>,
    /// Keep a partial report in this file, and go on from it if it is there
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    #[command(flatten)]
    target: TargetFlags,
}

/// What the author's files say.
struct Supposed {
    files: Vec<NamedText>,
    schema: Option<String>,
    patch: Option<(Value, Vec<Change>)>,
}

impl Impact {
    /// Finds out and tells.
    ///
    /// # Errors
    /// [`Failure`]: the draft is refused, with each fault, or the log cannot be read.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        if self.policies.is_empty() && self.schema.is_none() && self.entities.is_none() {
            return Err(NodeError::NothingSupposed.into());
        }
        let supposed = Supposed {
            files: authored::policies(&self.policies)?,
            schema: self.schema.as_deref().map(authored::text).transpose()?,
            patch: self.entities.as_deref().map(authored::patch).transpose()?,
        };
        let begun = self.resume.as_deref().map(read_partial).transpose()?.flatten();
        let found = match self.target.target()? {
            Target::Server(client) => self.over(&client, &supposed, begun, console),
            Target::Data(folder) => self.on(&folder, &supposed, begun, console),
        };
        let found = found.map_err(|refusal| {
            refusal.placing(|fault| placed(fault, &supposed.files, self.schema.as_deref()))
        })?;
        console.tell(&found)?;
        let changes = found.report.this_change.total() > 0;
        Ok(if changes { Exit::Refused } else { Exit::Fine })
    }

    fn on(
        &self,
        folder: &Folder,
        supposed: &Supposed,
        partial: Option<Tally>,
        console: &mut Console,
    ) -> Result<Impacted, Failure> {
        let begun = Instant::now();
        let draft = supposed.draft()?;
        let patch = supposed.patch.as_ref().map(|(_, patch)| patch.clone()).unwrap_or_default();
        let opened = folder.opened()?;
        let store = &opened.store;
        let supposition = deeply(|| {
            let newest = opened.world()?;
            let limits = Limits::default();
            Ok(Supposition::new(&newest, draft.as_ref(), patch, &limits)
                .map_err(NodeError::from)?)
        })?;
        let from = match (&partial, self.since) {
            (Some(tally), _) => tally.from(),
            (None, Some(since)) => window(store, since.moment(SystemClock.now()))?,
            (None, None) => Index(0),
        };
        let next = partial.as_ref().and_then(Tally::through).map_or(from, Index::next);
        let start = next.0.checked_sub(1).map(|last| opened.before(Index(last)));
        let mut impact = audit::Impact::new(start.unwrap_or_default(), from, supposition);
        if let Some(tally) = partial {
            impact.resume(tally).map_err(NodeError::from)?;
        }
        let (threads, end) = (threads(), store.size());
        let mut progress = Progress::new("decided", end);
        let mut kept = Instant::now();
        let weighing = Weighing { store, sealer: opened.sealer.as_ref(), threads, end };
        weighing.weigh(&mut impact, |impact| {
            progress.at(impact.next().0, console);
            if kept.elapsed() >= KEPT_EVERY {
                self.keep(|| impact.tally())?;
                kept = Instant::now();
            }
            Ok::<_, Failure>(())
        })?;
        progress.end(console);
        self.keep(|| impact.tally())?;
        Ok(Impacted::new(impact.report(), begun, threads))
    }

    fn over(
        &self,
        client: &Client,
        supposed: &Supposed,
        partial: Option<Tally>,
        console: &mut Console,
    ) -> Result<Impacted, Failure> {
        let mut body = supposed.body();
        if let Some(members) = body.as_object_mut() {
            members.extend(self.since.map(|since| ("since".to_owned(), json!(since))));
            members.extend(partial.map(|tally| ("resume".to_owned(), json!(tally))));
            members.insert("partials".to_owned(), json!(self.resume.is_some()));
        }
        let mut progress: Option<Progress> = None;
        for line in client.stream("/audit/v1/impact", &body, LINE_BYTES_MAX)? {
            match told(&line?)? {
                Told::Progress { through, of } => {
                    let progress = progress.get_or_insert_with(|| Progress::new("decided", of));
                    progress.at(through, console);
                }
                Told::Partial(tally) => self.keep(|| *tally)?,
                Told::Report(found) => {
                    progress.iter().for_each(|it| it.end(console));
                    return Ok(*found);
                }
                Told::Problem { code, detail } => return Err(Failure::refused(&code, detail)),
            }
        }
        Err(Failure::could_not_run("the server ended before the report was finished"))
    }

    /// Puts a partial report away, whole or not at all, if it is wanted.
    fn keep(&self, tally: impl FnOnce() -> Tally) -> Result<(), Failure> {
        let Some(path) = &self.resume else { return Ok(()) };
        let draft = path.with_extension("draft");
        let json = serde_json::to_vec(&tally()).map_err(Failure::could_not_run)?;
        let written = File::create(&draft)
            .and_then(|mut file| file.write_all(&json).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&draft, path));
        written.map_err(|error| {
            Failure::could_not_run(format!("cannot write `{}`: {error}", path.display()))
        })
    }
}

/// A partial report; none if it has not been begun.
fn read_partial(path: &Path) -> Result<Option<Tally>, Failure> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        _ => {}
    }
    let wrong = |error: serde_json::Error| {
        let name = path.display();
        Failure::usage(format!("`{name}` is not a partial report of this build: {error}"))
    };
    serde_json::from_str(&authored::text(path)?).map(Some).map_err(wrong)
}

/// A line of a server's.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Told {
    Progress { through: u64, of: u64 },
    Partial(Box<Tally>),
    Report(Box<Impacted>),
    Problem { code: String, detail: String },
}

fn told(line: &str) -> Result<Told, Failure> {
    let unread =
        |error| Failure::could_not_run(format!("the server's answer cannot be read: {error}"));
    serde_json::from_str(line).map_err(unread)
}

impl Supposed {
    fn draft(&self) -> Result<Option<Draft>, Failure> {
        if self.files.is_empty() && self.schema.is_none() {
            return Ok(None);
        }
        let policies = (!self.files.is_empty()).then(|| read_files(&self.files)).transpose()?;
        let (set, message) = (SetKind::Application, Label::default());
        Ok(Some(Draft { set, schema: self.schema.clone(), policies, message }))
    }

    /// The members of a request that say the same.
    fn body(&self) -> Value {
        let mut body = json!({});
        let Some(members) = body.as_object_mut() else { return body };
        if !self.files.is_empty() {
            let sent = self.files.iter().map(|(name, text)| json!({"name": name, "text": text}));
            members.insert("files".to_owned(), sent.collect());
        }
        members.extend(self.schema.iter().map(|text| ("schema".to_owned(), json!(text))));
        members.extend(self.patch.iter().map(|(json, _)| ("entities".to_owned(), json.clone())));
        body
    }
}
