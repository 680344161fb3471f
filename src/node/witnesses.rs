//! The witnesses of this node's own log: asked about each checkpoint that is published.
//! One that does not answer, or refuses, stands in nobody's way: the log goes on without
//! its line, and it is asked again later.

use std::slice::from_ref;
use std::sync::Arc;
use std::thread::{Builder, scope, sleep};
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

/// How long one witness may take, however often it is asked: publishing waits for it.
const ANSWER: Duration = Duration::from_secs(2);
/// How often one is asked at most: again where it says that it stands elsewhere, and
/// again when it says that it can.
const POSTS_MAX: usize = 3;
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
    /// How long all of it may take.
    patience: Duration,
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

/// What a witness says, unless it is a reason to leave it alone.
enum Heard {
    /// Its lines.
    Lines(String),
    /// It stands at another size than was believed.
    Elsewhere,
    /// It wants to be asked later: after so long, if it says how long.
    Busy { status: u16, wait: Option<Duration> },
}

/// Why a witness has not cosigned.
#[derive(Debug, thiserror::Error)]
enum NotCosigned {
    #[error("no answer: {0}")]
    Unheard(#[from] ureq::Error),
    #[error("it answered {status}: `{said}`")]
    Refused { status: u16, said: String },
    #[error("it answered {status}: it wants to be asked later")]
    Busy { status: u16 },
    #[error("it answered 422, that the log has not grown out of what it has cosigned: `{said}`")]
    OtherPast { said: String },
    #[error("it has cosigned {known} entries of this log already, and there are {size}")]
    Ahead { known: u64, size: u64 },
    #[error("it has cosigned another root over the same {size} entries")]
    OtherRoot { size: u64 },
    #[error("it answered each time that it stands elsewhere")]
    Unsettled,
    #[error("it took too long")]
    Late,
    #[error("its answer does not hold: {0}")]
    Answer(#[from] NoteError),
    #[error("the proof cannot be made: {0}")]
    Tree(#[from] TreeError<NodeError<StoreError>>),
    #[error("it cannot be asked: {0}")]
    Request(#[from] WitnessRefusal),
}

impl NotCosigned {
    /// True if the witness has seen another past of this log than is at hand. Where the
    /// store and the checkpoint outside were rolled back together nothing else shows it.
    const fn contradicts(&self) -> bool {
        matches!(self, Self::OtherPast { .. } | Self::Ahead { .. } | Self::OtherRoot { .. })
    }
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
        Ok(Some(Self { store, witnesses, metrics, patience: ANSWER }))
    }
}

impl Witnesses for Asking {
    fn ask(&mut self, published: &str) -> Asked {
        let size = size_of(published);
        let Some((note, size)) = published.parse::<Note>().ok().zip(size) else {
            return Asked::default();
        };
        let (store, metrics) = (&*self.store, &*self.metrics);
        let until = Instant::now() + self.patience;
        let lines: Vec<_> = scope(|all| {
            let wanted = self.witnesses.iter_mut().filter(|it| it.is_wanted(&note));
            let asked: Vec<_> = wanted
                .map(|it| {
                    let note = &note;
                    let ask = move || {
                        let lines = it.heard(store, metrics, note, size, until)?;
                        Some((it.witness.key.clone(), lines))
                    };
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
        let cosigned = lines.iter().fold(note.clone(), |note, (key, lines)| {
            // Each has been tried by itself, and speaks for itself alone.
            note.with_cosignatures(lines, from_ref(key)).unwrap_or(note)
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
        until: Instant,
    ) -> Option<String> {
        let answer = self.ask(store, note, size, until);
        metrics.witness_asked(self.name(), answer.is_ok());
        let error = match answer {
            Ok(lines) => {
                self.rests = None;
                return Some(lines);
            }
            Err(error) => error,
        };
        self.rests = Some(Instant::now() + REST);
        let witness = self.name();
        if error.contradicts() {
            metrics.witness_contradicts(witness);
            tracing::error!(
                witness, size, %error,
                "a witness has not cosigned a checkpoint, for it has seen another past of this \
                 log: the log and its checkpoint outside may have been rolled back together, or \
                 the log runs twice; stop this node, keep its directory, and compare it with \
                 exports, receipts and backups"
            );
        } else {
            tracing::warn!(witness, size, %error, "a witness has not cosigned a checkpoint");
        }
        None
    }

    fn ask(
        &mut self,
        store: &dyn EventStore,
        note: &Note,
        size: u64,
        until: Instant,
    ) -> Result<String, NotCosigned> {
        for more in (0..POSTS_MAX).rev() {
            match self.post(store, note, size, until)? {
                Heard::Lines(lines) => return Ok(lines),
                // Once more, from where it says that it stands.
                Heard::Elsewhere => {}
                Heard::Busy { status, wait } => {
                    let wait = wait.filter(|wait| more > 0 && *wait < left(until));
                    sleep(wait.ok_or(NotCosigned::Busy { status })?);
                }
            }
        }
        Err(NotCosigned::Unsettled)
    }

    fn post(
        &mut self,
        store: &dyn EventStore,
        note: &Note,
        size: u64,
        until: Instant,
    ) -> Result<Heard, NotCosigned> {
        let nodes = TileNodes::new(size, StoredTiles(store));
        let proof = consistency_proof(self.cosigned, size, &nodes)?;
        let request = AddCheckpoint::new(self.cosigned, proof, note.clone())?;
        let time = Some(left(until)).filter(|left| !left.is_zero()).ok_or(NotCosigned::Late)?;
        let answer = self
            .agent
            .post(format!("{}/add-checkpoint", self.witness.url))
            .config()
            .timeout_global(Some(time))
            .build()
            .header("content-type", "text/plain; charset=utf-8")
            .send(request.to_string())?;
        let status = answer.status().as_u16();
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let tells_size = header("content-type") == Some(WitnessRefusal::SIZE_MEDIA_TYPE);
        let wait = header("retry-after").and_then(|seconds| seconds.parse().ok());
        let body = answer.into_body().into_with_config().limit(ANSWER_BYTES_MAX);
        let body = body.read_to_string()?;
        let known = conflict_size(&body).filter(|_| tells_size);
        match (status, known) {
            (200, _) => {
                note.with_cosignatures(&body, from_ref(&self.witness.key))?;
                self.cosigned = size;
                Ok(Heard::Lines(body))
            }
            (409, Some(known)) if known > size => Err(NotCosigned::Ahead { known, size }),
            // What it refuses is then what else there is to a checkpoint: its root.
            (409, Some(known)) if known == size && self.cosigned == size => {
                Err(NotCosigned::OtherRoot { size })
            }
            (409, Some(known)) => {
                self.cosigned = known;
                Ok(Heard::Elsewhere)
            }
            (422, _) => Err(NotCosigned::OtherPast { said: shown(&body) }),
            (429 | 503, _) => Ok(Heard::Busy { status, wait: wait.map(Duration::from_secs) }),
            _ => Err(NotCosigned::Refused { status, said: shown(&body) }),
        }
    }
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

/// As much of what a witness says as is repeated, on one line.
fn shown(body: &str) -> String {
    body.trim_end().chars().take(SHOWN).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread::{JoinHandle, spawn};

    use super::*;
    use crate::event_store::MemoryStore;
    use crate::tlog::{Checkpoint, CosigningKey, SigningKey, leaf_hash, sign_checkpoint};

    const SIZE: &str = "text/x.tlog.size";
    const TEXT: &str = "text/plain";

    fn note() -> Note {
        let log = SigningKey::new("log.example".parse().unwrap(), &[1; 32]);
        let checkpoint = Checkpoint::new("log.example", 1, leaf_hash(b"entry")).unwrap();
        sign_checkpoint(&checkpoint, &[&log]).unwrap().parse().unwrap()
    }

    fn key(name: &str) -> CosigningKey {
        CosigningKey::new(name.parse().unwrap(), &[2; 32])
    }

    fn line(by: &CosigningKey, time: u64) -> String {
        format!("{}\n", by.cosign(note().text(), time))
    }

    /// A status line, with header lines behind it if any, and a body.
    type Said = (&'static str, &'static str, String);

    /// A witness that says one thing after the other, and is heard no more.
    fn saying(name: &str, answers: Vec<Said>) -> (Witness, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let witness = format!("{url} {}", key(name).verifier()).parse().unwrap();
        let speaking = spawn(move || {
            for (status, kind, body) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let whole = |sent: &[u8]| {
                    let sent = String::from_utf8_lossy(sent).to_lowercase();
                    let (head, body) = sent.split_once("\r\n\r\n")?;
                    let (_, length) = head.split_once("content-length: ")?;
                    let length: usize = length.lines().next()?.parse().ok()?;
                    (body.len() >= length).then_some(())
                };
                let (mut sent, mut piece) = (Vec::new(), [0; 4_096]);
                while whole(&sent).is_none() {
                    let read = stream.read(&mut piece).unwrap();
                    assert_ne!(read, 0, "the request ends early");
                    sent.extend_from_slice(&piece[..read]);
                }
                let length = body.len();
                let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}");
                let head = format!("{head}\r\ncontent-length: {length}\r\nconnection: close");
                stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
            }
        });
        (witness, speaking)
    }

    fn metrics() -> Arc<Metrics> {
        Arc::new(Metrics::new().unwrap())
    }

    fn asking(witnesses: Vec<Witness>, metrics: &Arc<Metrics>) -> Asking {
        let settings = WitnessSettings { ask: witnesses, ..WitnessSettings::default() };
        let store = Arc::new(MemoryStore::new());
        let asking = Asking::of(&settings, store, Arc::clone(metrics)).unwrap().unwrap();
        // However busy the machine is.
        Asking { patience: Duration::from_secs(600), ..asking }
    }

    /// Goal: no witness takes the room of the others, or speaks for them.
    #[test]
    fn each_witness_adds_one_line_and_its_own() {
        let (hostile, honest) = (key("hostile"), key("honest"));
        let many: String = (0..63).map(|time| line(&hostile, time)).collect();
        let (one, speaking) = saying("hostile", vec![("200 OK", TEXT, many)]);
        // What another said earlier is not its own either.
        let stale = line(&hostile, 7) + &line(&honest, 1_000);
        let (two, too) = saying("honest", vec![("200 OK", TEXT, stale)]);
        let asked = asking(vec![one, two], &metrics()).ask(&note().to_string());
        speaking.join().unwrap();
        too.join().unwrap();
        let cosigned: Note = asked.cosigned.unwrap().parse().unwrap();
        let keys = [hostile.verifier(), honest.verifier()];
        let times: Vec<_> = cosigned.verify(&keys).unwrap().iter().map(|by| by.time).collect();
        assert_eq!((cosigned.signatures().len(), times), (3, vec![Some(0), Some(1_000)]));
        assert_eq!(asked.again, None);
    }

    /// Goal: an alarm can be set on the one sign that this log was rolled back together
    /// with the checkpoint outside, or was run twice.
    #[test]
    fn a_witness_that_knows_another_past_is_counted() {
        let size = |size: u64| ("409 Conflict", SIZE, format!("{size}\n"));
        let other = || ("422 Unprocessable Content", TEXT, "the proof does not hold\n".to_owned());
        let busy = || ("503 Service Unavailable", TEXT, String::new());
        for (answers, contradicts) in [
            (vec![], 0),
            (vec![busy()], 0),
            (vec![size(1), busy()], 0),
            (vec![size(0), size(0)], 0),
            (vec![size(2)], 1),
            (vec![other()], 1),
            (vec![size(1), size(1)], 1),
        ] {
            let (witness, speaking) = saying("one", answers.clone());
            let metrics = metrics();
            let asked = asking(vec![witness], &metrics).ask(&note().to_string());
            speaking.join().unwrap();
            assert_eq!((asked.cosigned, asked.again.is_some()), (None, true));
            let counted = format!(
                "countersign_witness_contradictions_total{{witness=\"one\"}} {contradicts}"
            );
            let shown = metrics.render().unwrap();
            assert!(shown.lines().any(|line| line == counted), "{answers:?}\n{shown}");
        }
    }

    /// Goal: a witness that has no time just now is asked again before its time is up, or
    /// not at all.
    #[test]
    fn a_witness_that_is_busy_is_asked_again_if_there_is_time() {
        let now = ("429 Too Many Requests\r\nretry-after: 0", TEXT, String::new());
        let later = ("429 Too Many Requests\r\nretry-after: 3600", TEXT, String::new());
        let lines = ("200 OK", TEXT, line(&key("one"), 7));
        for (answers, cosigns) in [
            (vec![now.clone(), lines.clone()], true),
            (vec![("409 Conflict", SIZE, "1\n".to_owned()), now.clone(), lines], true),
            (vec![now.clone(), now.clone(), now], false),
            (vec![later], false),
        ] {
            let (witness, speaking) = saying("one", answers.clone());
            let asked = asking(vec![witness], &metrics()).ask(&note().to_string());
            speaking.join().unwrap();
            assert_eq!(asked.cosigned.is_some(), cosigns, "{answers:?}");
        }
    }

    /// Goal: however often a witness is asked, it holds up publishing once.
    #[test]
    fn nobody_is_asked_once_the_time_is_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let witness = format!("{url} {}", key("one").verifier()).parse().unwrap();
        let mut witness = Acquaintance::new(witness, None);
        let answer = witness.ask(&MemoryStore::new(), &note(), 1, Instant::now());
        assert!(matches!(answer, Err(NotCosigned::Late)), "{answer:?}");
        listener.set_nonblocking(true).unwrap();
        let unasked = listener.accept().unwrap_err();
        assert_eq!(unasked.kind(), std::io::ErrorKind::WouldBlock);
    }
}
