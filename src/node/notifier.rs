//! Tells a webhook what persons must hear of. The log is the outbox: a thread follows it
//! from a cursor file, and moves the cursor once a notice was taken. So each is told at
//! least once, in order, and a webhook that is down holds up nothing but its own notices.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use ureq::Agent;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{NoCertificates, trusting};
use crate::audit::Notice;
use crate::checkpoint::{CheckpointFile, CheckpointFileError};
use crate::event::decode;
use crate::event_store::EventStore;
use crate::model::Index;
use crate::settings::{NotifySettings, SubmissionUrl};
use crate::telemetry::{Metrics, Told};

/// How often the log is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How long the webhook may take; ending the node may take as long.
const ANSWER: Duration = Duration::from_secs(5);
/// The first wait after a failure; each further one doubles it.
const WAIT: Duration = Duration::from_secs(1);
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// After how many answers that say that a notice is wrong it is left out: one that a webhook
/// can make nothing of must not keep all later ones from their persons.
const REFUSALS_MAX: u32 = 10;
/// How many entries are read at once.
const PAGE: usize = 64;
/// How many bytes of entries are read at once.
const PAGE_BYTES: usize = 4 << 20;
/// After how many entries that nobody must hear of the cursor is written all the same: so
/// many are read again after a restart at most.
const UNWRITTEN_MAX: u64 = 10_000;
/// The bytes of an entry in which its type stands.
const HEAD: usize = 512;
/// The least bytes of a secret.
const SECRET_BYTES_MIN: usize = 32;
/// The header that carries the HMAC-SHA256 of the body: `sha256=` and 64 hex digits.
const SIGNATURE: &str = "countersign-signature";

/// Why nobody can be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CannotNotify {
    /// The secret cannot be read.
    #[error("cannot read the secret for notifications `{}`: {source}", path.display())]
    Secret {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It could be guessed.
    #[error(
        "the secret for notifications `{}` has fewer than {SECRET_BYTES_MIN} bytes",
        .0.display()
    )]
    ShortSecret(PathBuf),
    /// There are no certificates to know the webhook by.
    #[error(transparent)]
    Certificates(#[from] NoCertificates),
    /// The cursor cannot be read or written.
    #[error(transparent)]
    Cursor(#[from] CheckpointFileError),
    /// There is no thread.
    #[error("a thread for notifications could not be started: {0}")]
    Thread(#[source] std::io::Error),
}

/// The thread that tells. Dropping it ends it once the webhook has answered, or not within
/// 5 s.
pub struct Notifier {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    closed: Mutex<bool>,
    changed: Condvar,
}

impl Notifier {
    /// Begins to tell the webhook that the settings name; nothing if they name none. A log
    /// that has never been told of is told of from here on.
    ///
    /// # Errors
    /// [`CannotNotify`].
    pub(super) fn start(
        settings: &NotifySettings,
        data: &Path,
        log: Uuid,
        store: Arc<dyn EventStore>,
        metrics: Arc<Metrics>,
    ) -> Result<Option<Self>, CannotNotify> {
        let (Some(webhook), Some(secret)) = (&settings.webhook, &settings.secret_file) else {
            return Ok(None);
        };
        let webhook = Webhook::new(webhook.clone(), secret, settings.ca.as_deref())?;
        let cursor = Cursor { file: CheckpointFile::at(data.join("notified")), log };
        let next = cursor.read(store.size())?;
        cursor.write(next)?;
        let shared = Arc::new(Shared::default());
        let (stop, written) = (Arc::clone(&shared), next);
        let telling = Telling { webhook, cursor, store, metrics, stop, next, written };
        let run = move || telling.run();
        let thread = Builder::new().name("notifier".to_owned()).spawn(run);
        Ok(Some(Self { shared, thread: Some(thread.map_err(CannotNotify::Thread)?) }))
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        *self.shared.closed() = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // What one that panicked has not told is told after the next start.
            let _ended = thread.join();
        }
    }
}

impl Shared {
    fn closed(&self) -> MutexGuard<'_, bool> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for so long, or until the end; true if it is the end.
    fn wait(&self, long: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.closed(), long, |closed| !*closed);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Where in the log the telling is.
struct Cursor {
    file: CheckpointFile,
    log: Uuid,
}

impl Cursor {
    /// The next entry to tell of: the end of the log if it was never told of, or has lost
    /// what was.
    fn read(&self, size: u64) -> Result<u64, CheckpointFileError> {
        let text = self.file.read()?.unwrap_or_default();
        let known = text.trim_end().split_once(' ').and_then(|(log, next)| {
            let next: u64 = next.parse().ok()?;
            (log == self.log.to_string() && next <= size).then_some(next)
        });
        Ok(known.unwrap_or(size))
    }

    fn write(&self, next: u64) -> Result<(), CheckpointFileError> {
        self.file.write(&format!("{} {next}\n", self.log))
    }
}

/// The work of the thread.
struct Telling {
    webhook: Webhook,
    cursor: Cursor,
    store: Arc<dyn EventStore>,
    metrics: Arc<Metrics>,
    stop: Arc<Shared>,
    next: u64,
    written: u64,
}

impl Telling {
    fn run(mut self) {
        while !self.stop.wait(if self.is_behind() { Duration::ZERO } else { LOOK }) {
            if self.page().is_none() {
                break;
            }
            self.metrics.notices_behind(self.store.size().saturating_sub(self.next));
        }
        self.remember();
    }

    fn is_behind(&self) -> bool {
        self.next < self.store.size()
    }

    /// Tells of the next entries; nothing if the end came before all was told.
    fn page(&mut self) -> Option<()> {
        let page = match self.store.read(Index(self.next), PAGE, PAGE_BYTES) {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(%error, "the log cannot be read for notifications");
                return (!self.stop.wait(WAIT_MAX)).then_some(());
            }
        };
        for (index, bytes) in page {
            let notice = if is_decision(&bytes) { None } else { noticed(index, &bytes) };
            self.next = index.0.saturating_add(1);
            if let Some(notice) = notice {
                self.tell(&notice).or_else(|| {
                    self.next = index.0;
                    None
                })?;
                self.remember();
            }
        }
        if self.next.saturating_sub(self.written) >= UNWRITTEN_MAX {
            self.remember();
        }
        Some(())
    }

    /// Tells until it is heard, or refused for good; nothing if the end came before.
    fn tell(&self, notice: &Notice) -> Option<()> {
        let (mut patience, index) = (Patience::default(), notice.index);
        loop {
            let Err(error) = self.webhook.tell(notice) else {
                self.metrics.notice_told(Told::Taken);
                return Some(());
            };
            let Some(wait) = patience.after(&error) else {
                self.metrics.notice_told(Told::Refused);
                tracing::error!(%index, %error, "a notification was refused for good; left out");
                return Some(());
            };
            self.metrics.notice_told(Told::Failed);
            tracing::warn!(%index, %error, "a notification was not taken; trying again");
            let behind = self.store.size().saturating_sub(notice.index.0);
            self.metrics.notices_behind(behind);
            if self.stop.wait(wait) {
                return None;
            }
        }
    }

    /// Keeps how far it has come. If it cannot, what was told is told again after a restart.
    fn remember(&mut self) {
        if self.written == self.next {
            return;
        }
        match self.cursor.write(self.next) {
            Ok(()) => self.written = self.next,
            Err(error) => tracing::warn!(%error, "how far notifications have come is not kept"),
        }
    }
}

/// How long one notice is tried.
struct Patience {
    wait: Duration,
    refusals: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self { wait: WAIT, refusals: 0 }
    }
}

impl Patience {
    /// How long to wait after a failure; nothing if there is no use in it.
    fn after(&mut self, error: &NotTaken) -> Option<Duration> {
        self.refusals += u32::from(error.is_final());
        let wait = self.wait;
        self.wait = wait.saturating_mul(2).min(WAIT_MAX);
        (self.refusals < REFUSALS_MAX).then_some(wait)
    }
}

/// True for what most entries are, without reading all of one.
fn is_decision(bytes: &[u8]) -> bool {
    let head = bytes.get(..HEAD).unwrap_or(bytes);
    let wanted = b"\"type\":\"countersign.access.decided.v1\"";
    head.windows(wanted.len()).any(|part| part == wanted)
}

fn noticed(index: Index, bytes: &[u8]) -> Option<Notice> {
    match decode(index, bytes) {
        Ok(entry) => Notice::of(&entry),
        Err(error) => {
            tracing::error!(%index, %error, "an entry cannot be read for notifications");
            None
        }
    }
}

/// Who is told.
struct Webhook {
    url: SubmissionUrl,
    secret: Zeroizing<Vec<u8>>,
    agent: Agent,
}

/// Why it was not.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error("no answer: {0}")]
    Unheard(#[from] ureq::Error),
    #[error("it answered {0}")]
    Refused(u16),
    #[error("it cannot be written: {0}")]
    Unwritten(#[from] serde_json::Error),
    #[error("it cannot be signed")]
    Unsigned,
}

impl NotTaken {
    /// True if the same notice will hardly be taken later (RFC 9110 §15.5; 408 and 429 ask
    /// for another try).
    const fn is_final(&self) -> bool {
        matches!(self, Self::Refused(status @ 400..500) if !matches!(status, 408 | 429))
    }
}

impl Webhook {
    fn new(url: SubmissionUrl, secret: &Path, ca: Option<&Path>) -> Result<Self, CannotNotify> {
        let failed = |source| CannotNotify::Secret { path: secret.to_owned(), source };
        let mut bytes = Zeroizing::new(fs::read(secret).map_err(failed)?);
        while bytes.last().is_some_and(u8::is_ascii_whitespace) {
            bytes.pop();
        }
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(CannotNotify::ShortSecret(secret.to_owned()));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(ANSWER))
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")));
        let config = if url.is_local() { config.proxy(None) } else { config };
        let config = match ca.map(trusting).transpose()? {
            Some(trusted) => config.tls_config(trusted),
            None => config,
        };
        Ok(Self { url, secret: bytes, agent: config.build().new_agent() })
    }

    fn tell(&self, notice: &Notice) -> Result<(), NotTaken> {
        let body = serde_json::to_string(notice)?;
        let signature = format!("sha256={}", self.signed(&body).ok_or(NotTaken::Unsigned)?);
        let request = self
            .agent
            .post(self.url.as_str())
            .header("content-type", "application/json")
            .header(SIGNATURE, &signature);
        let status = request.send(&body)?.status();
        if status.is_success() { Ok(()) } else { Err(NotTaken::Refused(status.as_u16())) }
    }

    /// HMAC-SHA256 of a text, in hex (RFC 2104).
    fn signed(&self, text: &str) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).ok()?;
        mac.update(text.as_bytes());
        Some(mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(secret: &[u8]) -> Result<Webhook, CannotNotify> {
        let ground = tempfile::tempdir().unwrap();
        let file = ground.path().join("secret");
        fs::write(&file, secret).unwrap();
        Webhook::new("http://127.0.0.1:1".parse().unwrap(), &file, None)
    }

    /// RFC 4231 §4.3 has a shorter key than is accepted; §4.7 a longer one.
    #[test]
    fn what_is_told_is_signed_as_rfc_4231_says() {
        let text = "Test Using Larger Than Block-Size Key - Hash Key First";
        let signed = webhook(&[0xaa; 131]).ok().unwrap().signed(text);
        let expected = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
        assert_eq!(signed.as_deref(), Some(expected));
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_refused_and_its_end_of_line_is_no_part_of_it() {
        assert!(matches!(webhook(b"short"), Err(CannotNotify::ShortSecret(_))));
        assert!(matches!(webhook(&[b' '; 64]), Err(CannotNotify::ShortSecret(_))));
        let line = [&[b'x'; 32][..], b"\n"].concat();
        assert_eq!(*webhook(&line).ok().unwrap().secret, [b'x'; 32]);
    }

    #[test]
    fn a_cursor_is_taken_up_only_in_its_own_log_and_within_it() {
        let ground = tempfile::tempdir().unwrap();
        let file = CheckpointFile::at(ground.path().join("notified"));
        let one = Cursor { file: file.clone(), log: Uuid::from_u128(1) };
        let other = Cursor { file: file.clone(), log: Uuid::from_u128(2) };
        assert_eq!(one.read(7).unwrap(), 7, "never told of: from here on");
        one.write(3).unwrap();
        assert_eq!((one.read(7).unwrap(), other.read(7).unwrap()), (3, 7));
        assert_eq!(one.read(2).unwrap(), 2, "the log has lost what was told");
        file.write("nonsense\n").unwrap();
        assert_eq!(one.read(7).unwrap(), 7);
    }

    /// Goal: one notice that a webhook cannot take keeps no later one from its person; one
    /// that it could not take just now is tried for ever.
    #[test]
    fn a_notice_is_left_out_after_ten_answers_that_it_is_wrong() {
        let waits = |statuses: &[u16]| -> Vec<Option<u64>> {
            let mut patience = Patience::default();
            let after = |status: &u16| patience.after(&NotTaken::Refused(*status));
            statuses.iter().map(after).map(|wait| wait.map(|it| it.as_secs())).collect()
        };
        let tried = [1, 2, 4, 8, 16, 32, 60, 60, 60].map(Some);
        for status in [400, 404, 410, 413, 422] {
            assert_eq!(waits(&[status; 10]), [&tried[..], &[None]].concat(), "{status}");
        }
        for status in [302, 408, 429, 500, 503] {
            assert!(waits(&[status; 100]).iter().all(Option::is_some), "{status}");
        }
        let mixed = [[500; 20].as_slice(), &[400; 9], &[503], &[400]].concat();
        assert_eq!(waits(&mixed).iter().position(Option::is_none), Some(30));
        assert!(!NotTaken::Unsigned.is_final());
    }

    #[test]
    fn a_decision_is_known_by_its_head() {
        let head = br#"{"specversion":"1.0","type":"countersign.access.decided.v1","data":{}}"#;
        assert!(is_decision(head));
        let late = [&[b'x'; HEAD][..], head].concat();
        assert!(!is_decision(&late));
        assert!(!is_decision(br#"{"type":"countersign.mfa.refused.v1"}"#));
    }
}
