//! The witnesses of this node's own log: asked about each checkpoint that is published.
//! One that does not answer, or refuses, stands in nobody's way: the log goes on without
//! its line, and it is asked again later.

use std::slice::from_ref;
use std::sync::Arc;
use std::thread::{Builder, scope};
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::tls::TlsConfig;

use super::{NoCertificates, trusting};
use crate::checkpoint::{Asked, Witnesses, size_of};
use crate::event_store::{EventStore, StoreError, StoredTiles};
use crate::settings::{Witness, WitnessSettings};
use crate::telemetry::Metrics;
use crate::tlog::{
    AddCheckpoint, NodeError, Note, NoteError, Signature, TileNodes, TreeError, WitnessRefusal,
    conflict_size, consistency_proof,
};

/// How long one witness may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// How long one that has not cosigned is left alone.
const REST: Duration = Duration::from_secs(30);
/// The most bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 64 * 1_024;
/// How much of a refusal's words is repeated, in characters.
const SHOWN: usize = 200;

/// All of them, and the tree that is shown to them.
pub(super) struct Asking {
    store: Arc<dyn EventStore>,
    witnesses: Vec<Acquaintance>,
    metrics: Arc<Metrics>,
}

/// One of them, and how it stands with it.
struct Acquaintance {
    witness: Witness,
    agent: Agent,
    /// The size that it is believed to have cosigned last.
    cosigned: u64,
    /// Until when it is left alone.
    rests: Option<Instant>,
}

/// Why a witness has not cosigned.
#[derive(Debug, thiserror::Error)]
enum NotCosigned {
    #[error("no answer: {0}")]
    Unheard(#[from] ureq::Error),
    #[error("it answered {status}: `{said}`")]
    Refused { status: u16, said: String },
    #[error("it has cosigned {known} entries of this log already, and there are {size}")]
    Ahead { known: u64, size: u64 },
    #[error("it answered twice that it stands elsewhere")]
    Unsettled,
    #[error("its answer does not hold: {0}")]
    Answer(#[from] NoteError),
    #[error("the proof cannot be made: {0}")]
    Tree(#[from] TreeError<NodeError<StoreError>>),
    #[error("it cannot be asked: {0}")]
    Request(#[from] WitnessRefusal),
}

impl Asking {
    /// The witnesses that the settings name; none if they name none.
    ///
    /// # Errors
    /// [`NoCertificates`] if they are to be known by certificates that are not there.
    pub(super) fn of(
        settings: &WitnessSettings,
        store: Arc<dyn EventStore>,
        metrics: Arc<Metrics>,
    ) -> Result<Option<Self>, NoCertificates> {
        if settings.ask.is_empty() {
            return Ok(None);
        }
        let trusted = settings.ca.as_deref().map(trusting).transpose()?;
        let new = |witness: &Witness| Acquaintance::new(witness.clone(), trusted.clone());
        let witnesses: Vec<_> = settings.ask.iter().map(new).collect();
        witnesses.iter().for_each(|it| metrics.witness_named(it.name()));
        Ok(Some(Self { store, witnesses, metrics }))
    }
}

impl Witnesses for Asking {
    fn ask(&mut self, published: &str) -> Asked {
        let size = size_of(published);
        let Some((note, size)) = published.parse::<Note>().ok().zip(size) else {
            return Asked::default();
        };
        let (store, metrics) = (&*self.store, &*self.metrics);
        let lines: Vec<String> = scope(|all| {
            let wanted = self.witnesses.iter_mut().filter(|it| it.is_wanted(&note));
            let asked: Vec<_> = wanted
                .map(|it| {
                    let note = &note;
                    let ask = move || it.heard(store, metrics, note, size);
                    Builder::new().name("witness".to_owned()).spawn_scoped(all, ask)
                })
                .collect();
            let heard = asked.into_iter().filter_map(|thread| match thread {
                Ok(thread) => thread.join().ok().flatten(),
                Err(error) => {
                    tracing::warn!(%error, "a witness cannot be asked: there is no thread");
                    None
                }
            });
            heard.collect()
        });
        let keys: Vec<_> = self.witnesses.iter().map(|it| it.witness.key.clone()).collect();
        let cosigned = lines.iter().fold(note.clone(), |note, lines| {
            // Each has been tried by itself; together they may be too many for one note.
            note.with_cosignatures(lines, &keys).unwrap_or(note)
        });
        let now = Instant::now();
        let rests = self.witnesses.iter().filter_map(|it| it.rests).filter(|until| *until > now);
        Asked {
            cosigned: (cosigned != note).then(|| cosigned.to_string()),
            again: rests.map(|until| until.saturating_duration_since(now)).min(),
        }
    }
}

impl Acquaintance {
    fn new(witness: Witness, trusted: Option<TlsConfig>) -> Self {
        // No redirect is followed: a witness is asked where the settings say.
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(ANSWER))
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")));
        let config = if witness.url.is_local() { config.proxy(None) } else { config };
        let config = match trusted {
            Some(trusted) => config.tls_config(trusted),
            None => config,
        };
        Self { agent: config.build().new_agent(), witness, cosigned: 0, rests: None }
    }

    fn name(&self) -> &str {
        self.witness.key.name().as_str()
    }

    /// True unless it is left alone, or has cosigned this very checkpoint.
    fn is_wanted(&self, note: &Note) -> bool {
        let key = &self.witness.key;
        let by_it = |line: &Signature| line.id() == key.id() && line.name() == key.name();
        let rests = self.rests.is_some_and(|until| until > Instant::now());
        !rests && !note.signatures().iter().any(by_it)
    }

    /// Its lines, if it cosigns; otherwise why not is told, and it is left alone.
    fn heard(
        &mut self,
        store: &dyn EventStore,
        metrics: &Metrics,
        note: &Note,
        size: u64,
    ) -> Option<String> {
        let answer = self.ask(store, note, size);
        metrics.witness_asked(self.name(), answer.is_ok());
        match answer {
            Ok(lines) => {
                self.rests = None;
                Some(lines)
            }
            Err(error) => {
                tracing::warn!(
                    witness = self.name(), size, %error, "a witness has not cosigned a checkpoint"
                );
                self.rests = Some(Instant::now() + REST);
                None
            }
        }
    }

    fn ask(
        &mut self,
        store: &dyn EventStore,
        note: &Note,
        size: u64,
    ) -> Result<String, NotCosigned> {
        if let Some(lines) = self.post(store, note, size)? {
            return Ok(lines);
        }
        // Once more, from where it says that it stands.
        self.post(store, note, size)?.ok_or(NotCosigned::Unsettled)
    }

    /// Its lines; none if it stands at another size than was believed.
    fn post(
        &mut self,
        store: &dyn EventStore,
        note: &Note,
        size: u64,
    ) -> Result<Option<String>, NotCosigned> {
        let nodes = TileNodes::new(size, StoredTiles(store));
        let proof = consistency_proof(self.cosigned, size, &nodes)?;
        let request = AddCheckpoint::new(self.cosigned, proof, note.clone())?;
        let answer = self
            .agent
            .post(format!("{}/add-checkpoint", self.witness.url))
            .header("content-type", "text/plain; charset=utf-8")
            .send(request.to_string())?;
        let status = answer.status().as_u16();
        let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        let tells_size = kind == Some(WitnessRefusal::SIZE_MEDIA_TYPE);
        let body = answer.into_body().into_with_config().limit(ANSWER_BYTES_MAX);
        let body = body.read_to_string()?;
        if status == 200 {
            note.with_cosignatures(&body, from_ref(&self.witness.key))?;
            self.cosigned = size;
            return Ok(Some(body));
        }
        match conflict_size(&body).filter(|_| status == 409 && tells_size) {
            Some(known) if known > size => Err(NotCosigned::Ahead { known, size }),
            Some(known) => {
                self.cosigned = known;
                Ok(None)
            }
            None => {
                let said = body.trim_end().chars().take(SHOWN).flat_map(char::escape_debug);
                Err(NotCosigned::Refused { status, said: said.collect() })
            }
        }
    }
}
