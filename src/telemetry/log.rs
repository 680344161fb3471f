//! Log lines, to standard error: standard output belongs to what was asked for.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing::{Level, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Log lines of this process already go somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("log lines of this process already go elsewhere")]
pub struct AlreadyLogging;

/// Writes log lines for people from here on, in colour if a terminal shows them.
///
/// # Errors
/// [`AlreadyLogging`] on a second call in one process.
pub fn log_as_text(level: Level) -> Result<(), AlreadyLogging> {
    text(level, io::stderr, io::stderr().is_terminal()).try_init().map_err(|_| AlreadyLogging)
}

/// Writes log lines as JSON from here on, one object a line.
///
/// # Errors
/// [`AlreadyLogging`] on a second call in one process.
pub fn log_as_json(level: Level) -> Result<(), AlreadyLogging> {
    json(level, io::stderr).try_init().map_err(|_| AlreadyLogging)
}

fn text<W>(level: Level, writer: W, colour: bool) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer).with_ansi(colour);
    // A line that cannot be written (a full disk) would be complained of in another one,
    // and that one's failure would be a panic, in the writer's thread for one.
    let lines = lines.log_internal_errors(false);
    Registry::default().with(what_is_shown(level)).with(lines)
}

fn json<W>(level: Level, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().json().flatten_event(true).with_writer(writer);
    let lines = lines.log_internal_errors(false);
    Registry::default().with(what_is_shown(level)).with(lines)
}

/// Where a request that is no HTTP is called an error, and where an answer is that no
/// authenticator would give.
const STRANGERS: [&str; 2] = ["actix_http::h1", "webauthn_rs_core"];

/// Our own lines at the level asked for, those of libraries only from `WARN` up:
/// below that some print what they are given, and that may be a secret. What is wrong
/// with what strangers send is shown only at `DEBUG`: strangers could fill the log with it, and
/// hide in it an error of ours.
fn what_is_shown(level: Level) -> Targets {
    let libraries = LevelFilter::from_level(level).min(LevelFilter::WARN);
    let strangers = if level >= Level::DEBUG { libraries } else { LevelFilter::OFF };
    Targets::new()
        .with_default(libraries)
        .with_targets(STRANGERS.map(|target| (target, strangers)))
        .with_target("countersign", level)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Lines kept where a test can read them.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Kept {
        fn writer(&self) -> impl Fn() -> Self + Send + Sync + 'static {
            let kept = self.clone();
            move || kept.clone()
        }
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn some_lines() {
        tracing::info!(target: "countersign::sequencer", index = 7, "committed");
        tracing::debug!(target: "countersign::sequencer", "a detail of ours");
        tracing::info!(target: "a_library", "a library's chatter");
        tracing::warn!(target: "a_library", "a library's warning");
    }

    #[test]
    fn json_lines_are_objects_with_their_fields() {
        let kept = Kept::default();
        tracing::subscriber::with_default(json(Level::INFO, kept.writer()), some_lines);
        let text = kept.text();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!(lines[0]["message"], "committed");
        assert_eq!(lines[0]["index"], 7);
        assert_eq!(lines[0]["level"], "INFO");
        assert_eq!(lines[1]["message"], "a library's warning");
    }

    #[test]
    fn libraries_stay_quiet_even_when_we_do_not() {
        let kept = Kept::default();
        tracing::subscriber::with_default(text(Level::TRACE, kept.writer(), false), some_lines);
        let text = kept.text();
        assert!(text.contains("a detail of ours") && text.contains("a library's warning"));
        assert!(!text.contains("a library's chatter"), "{text}");
        assert!(!text.contains('\u{1b}'), "colours only for a terminal: {text}");
    }

    /// Goal: a line at `ERROR` is worth an alarm.
    #[test]
    fn strangers_cannot_write_errors() {
        let broken = || tracing::error!(target: "actix_http::h1::dispatcher", "no HTTP");
        for (level, shown) in [(Level::ERROR, false), (Level::INFO, false), (Level::DEBUG, true)] {
            let kept = Kept::default();
            tracing::subscriber::with_default(text(level, kept.writer(), false), broken);
            assert_eq!(kept.text().contains("no HTTP"), shown, "{level}");
        }
    }

    #[test]
    fn errors_only_means_errors_only() {
        let kept = Kept::default();
        tracing::subscriber::with_default(text(Level::ERROR, kept.writer(), false), some_lines);
        assert_eq!(kept.text(), "");
    }
}
