//! The thread that publishes checkpoints: at once when it is quiet, at most every second
//! under load, and the last one before it ends. Each is published as the log has signed
//! it; then the witnesses are asked, and it is published again with their lines.
//!
//! Published is what the file outside holds, and that is the newest, for the log is held
//! against it. Shown to others is the one that witnesses were asked about last, or whoever
//! wants their lines would miss them each time that the log has just grown.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::{CheckpointFile, CheckpointFileError, Witnesses, size_of};

/// The shortest time between two publications: each costs two syncs of a disk.
const PAUSE: Duration = Duration::from_secs(1);

/// How long entries that only say what this log has cosigned itself wait until witnesses
/// are asked about them, and others are shown them. Two logs that cosign each other would
/// otherwise have news for each other for ever.
const ECHO: Duration = Duration::from_secs(300);

/// Takes signed checkpoints from the writer without making it wait, and keeps the newest
/// in a file. Dropping it publishes what is left to publish.
pub struct Publisher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    newest: Option<Arc<str>>,
    waiting: Option<Offered>,
    published: Option<Arc<str>>,
    shown: Option<Arc<str>>,
    failure: Option<String>,
    closed: bool,
}

#[derive(Clone)]
struct Offered {
    note: Arc<str>,
    /// Whether witnesses are asked at once.
    news: bool,
}

impl Publisher {
    /// Publishes to a file; what it holds counts as published.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn start(file: CheckpointFile, published: Option<String>) -> io::Result<Self> {
        Self::begin(file, published, None)
    }

    /// The same, and asks witnesses about what it has published.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn witnessed(
        file: CheckpointFile,
        published: Option<String>,
        witnesses: impl Witnesses + 'static,
    ) -> io::Result<Self> {
        Self::begin(file, published, Some(Box::new(witnesses)))
    }

    fn begin(
        file: CheckpointFile,
        published: Option<String>,
        witnesses: Option<Box<dyn Witnesses>>,
    ) -> io::Result<Self> {
        let mut publisher = Self::nowhere();
        publisher.shared.state().published = published.map(Arc::from);
        publisher.shared.show();
        let shared = Arc::clone(&publisher.shared);
        let run = move || run(&shared, |note| file.write(note), witnesses);
        publisher.thread = Some(Builder::new().name("publisher".to_owned()).spawn(run)?);
        Ok(publisher)
    }

    /// Publishes nothing, for a log in memory.
    #[must_use]
    pub fn nowhere() -> Self {
        Self { shared: Arc::default(), thread: None }
    }

    /// Takes the checkpoint of a group that is durable. Never waits for the disk.
    ///
    /// `news` is false for a group that says nothing but what this log has cosigned
    /// itself: witnesses are then not asked at once.
    pub fn offer(&self, note: Arc<str>, news: bool) {
        let mut state = self.shared.state();
        state.newest = Some(Arc::clone(&note));
        let news = news || state.waiting.as_ref().is_some_and(|waiting| waiting.news);
        state.waiting = Some(Offered { note, news });
        drop(state);
        self.shared.changed.notify_all();
    }

    /// The checkpoint to show to others, which is published: with the lines of witnesses,
    /// if there are any and they gave theirs. Behind the newest one published by as long as
    /// they are being asked, or while there is nothing to ask them about.
    #[must_use]
    pub fn shown(&self) -> Option<Arc<str>> {
        self.shared.state().shown.clone()
    }

    /// The newest checkpoint that is published, durably.
    #[must_use]
    pub fn published(&self) -> Option<Arc<str>> {
        self.shared.state().published.clone()
    }

    /// The newest checkpoint of a durable group, published or about to be.
    #[must_use]
    pub fn newest(&self) -> Option<Arc<str>> {
        self.shared.state().newest.clone()
    }

    /// Waits until a checkpoint for at least so many entries is shown, or publishing has
    /// failed; true if it is. Blocks for little more than a second, and with witnesses that
    /// do not answer for as long as they are given besides, at most 5 seconds.
    #[must_use]
    pub fn wait_for(&self, size: u64) -> bool {
        let there = |state: &State| {
            state.shown.as_deref().and_then(size_of).is_some_and(|shown| shown >= size)
        };
        let waiting = |state: &mut State| {
            !there(state) && state.failure.is_none() && state.newest.is_some() && !state.closed
        };
        let waited =
            self.shared.changed.wait_timeout_while(self.shared.state(), 5 * PAUSE, waiting);
        there(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Why the newest checkpoint could not be published, while that is so.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.shared.state().failure.clone()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // One that panicked has published what it could.
            let _ended = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to do next; none when there will be no more. `due` is when witnesses are to
    /// be asked once more, if they are.
    fn next(&self, due: Option<Instant>) -> Option<Turn> {
        let mut state = self.state();
        loop {
            let left = due.map(|due| due.saturating_duration_since(Instant::now()));
            match (state.waiting.take(), left) {
                (Some(offered), _) => return Some(Turn::Publish(offered)),
                (None, _) if state.closed => return None,
                (None, Some(Duration::ZERO)) => return state.published.clone().map(Turn::Ask),
                (None, Some(left)) => {
                    let waited = self.changed.wait_timeout(state, left);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                (None, None) => {
                    let waited = self.changed.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Publishes a checkpoint and says so; false if that failed.
    fn publish(&self, note: &Arc<str>, write: &impl Fn(&str) -> Written) -> bool {
        let outcome = write(note);
        let mut state = self.state();
        match &outcome {
            Ok(()) => {
                state.published = Some(Arc::clone(note));
                state.failure = None;
            }
            Err(error) => {
                tracing::error!(%error, "the checkpoint cannot be published; trying again");
                state.failure = Some(error.to_string());
            }
        }
        drop(state);
        self.changed.notify_all();
        outcome.is_ok()
    }

    /// Has others see what is published.
    fn show(&self) {
        let mut state = self.state();
        let published = state.published.clone();
        state.shown = published;
        drop(state);
        self.changed.notify_all();
    }

    /// Takes what is published to the witnesses, if there are any, publishes it again with
    /// their lines, and shows it. When to ask once more, if they are to be.
    fn take_round(
        &self,
        note: &str,
        write: &impl Fn(&str) -> Written,
        witnesses: Option<&mut Box<dyn Witnesses>>,
    ) -> Option<Instant> {
        let asked = witnesses.map(|witnesses| witnesses.ask(note)).unwrap_or_default();
        if let Some(cosigned) = asked.cosigned {
            // If it fails, the checkpoint without the lines is still the one published.
            self.publish(&Arc::from(cosigned), write);
        }
        self.show();
        asked.again.map(|after| Instant::now() + after)
    }

    /// Puts back what could not be published, unless there is something newer or it was
    /// the last.
    fn put_back(&self, offered: Offered) {
        let mut state = self.state();
        if !state.closed {
            let news = offered.news;
            state.waiting.get_or_insert(offered).news |= news;
        }
    }

    fn pause(&self) {
        let state = self.state();
        let _timed = self.changed.wait_timeout_while(state, PAUSE, |state| !state.closed);
    }
}

type Written = Result<(), CheckpointFileError>;

/// What the thread does next.
enum Turn {
    Publish(Offered),
    /// Ask once more about what is published.
    Ask(Arc<str>),
}

fn run(
    shared: &Shared,
    write: impl Fn(&str) -> Written,
    mut witnesses: Option<Box<dyn Witnesses>>,
) {
    let mut due: Option<Instant> = None;
    while let Some(turn) = shared.next(due) {
        let (note, news) = match turn {
            Turn::Ask(note) => (note, true),
            Turn::Publish(offered) if shared.publish(&offered.note, &write) => {
                (offered.note, offered.news)
            }
            Turn::Publish(offered) => {
                shared.put_back(offered);
                shared.pause();
                continue;
            }
        };
        let now = Instant::now();
        if news || witnesses.is_none() || due.is_some_and(|due| due <= now) {
            due = shared.take_round(&note, &write, witnesses.as_mut());
        } else {
            due = due.or(Some(now + ECHO));
        }
        shared.pause();
    }
    if let Some(last) = due.and_then(|_| shared.state().published.clone()) {
        // What a stopped directory holds is to have its lines as well.
        shared.take_round(&last, &write, witnesses.as_mut());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;
    use crate::checkpoint::Asked;

    #[test]
    fn what_was_offered_last_is_published_before_the_end() {
        let ground = tempfile::tempdir().unwrap();
        let file = CheckpointFile::at(ground.path().join("checkpoint"));
        let publisher = Publisher::start(file.clone(), Some("0\n".to_owned())).unwrap();
        assert_eq!(publisher.published().as_deref(), Some("0\n"));
        for number in 1..200 {
            publisher.offer(Arc::from(format!("{number}\n")), true);
        }
        drop(publisher);
        assert_eq!(file.read().unwrap().as_deref(), Some("199\n"));
    }

    #[test]
    fn a_failure_is_told_and_the_end_does_not_wait_for_ever() {
        let ground = tempfile::tempdir().unwrap();
        let file = CheckpointFile::at(ground.path().join("nowhere").join("checkpoint"));
        let publisher = Publisher::start(file, None).unwrap();
        publisher.offer(Arc::from("1\n"), true);
        let untold = |state: &mut State| state.failure.is_none();
        let state = publisher.shared.changed.wait_while(publisher.shared.state(), untold);
        drop(state.unwrap());
        assert!(publisher.failure().unwrap().contains("nowhere"));
        assert_eq!(publisher.published(), None);
    }

    /// Notes what it is asked about; cosigns all, or nothing.
    struct Witness {
        asked: Sender<String>,
        willing: bool,
    }

    impl Witnesses for Witness {
        fn ask(&mut self, note: &str) -> Asked {
            self.asked.send(note.to_owned()).unwrap();
            Asked { cosigned: self.willing.then(|| format!("{note}cosigned\n")), again: None }
        }
    }

    #[test]
    fn what_is_published_is_published_again_with_the_witnesses_lines() {
        for willing in [true, false] {
            let ground = tempfile::tempdir().unwrap();
            let file = CheckpointFile::at(ground.path().join("checkpoint"));
            let (asked, heard) = channel();
            let publisher =
                Publisher::witnessed(file.clone(), None, Witness { asked, willing }).unwrap();
            publisher.offer(Arc::from("1\n"), true);
            drop(publisher);
            assert_eq!(heard.iter().collect::<Vec<_>>(), ["1\n"]);
            let expected = if willing { "1\ncosigned\n" } else { "1\n" };
            assert_eq!(file.read().unwrap().as_deref(), Some(expected));
        }
    }

    /// Waits until so many publications have come about.
    fn wait_until(publisher: &Publisher, come: impl Fn(&State) -> bool) {
        let waiting = |state: &mut State| !come(state);
        drop(publisher.shared.changed.wait_while(publisher.shared.state(), waiting).unwrap());
    }

    /// Goal: two logs that cosign each other come to rest: what one has only cosigned is
    /// published, but neither taken to the other nor shown until there is something to ask
    /// about, or the end.
    #[test]
    fn witnesses_are_not_asked_at_once_about_what_was_only_cosigned() {
        let ground = tempfile::tempdir().unwrap();
        let file = CheckpointFile::at(ground.path().join("checkpoint"));
        let (asked, heard) = channel();
        let witness = Witness { asked, willing: true };
        let publisher = Publisher::witnessed(file.clone(), None, witness).unwrap();
        publisher.offer(Arc::from("1\n"), true);
        wait_until(&publisher, |state| state.shown.is_some());
        assert_eq!(heard.try_recv().as_deref(), Ok("1\n"));
        publisher.offer(Arc::from("2\n"), false);
        wait_until(&publisher, |state| state.published.as_deref() == Some("2\n"));
        assert_eq!(publisher.shown().as_deref(), Some("1\ncosigned\n"));
        assert!(heard.try_recv().is_err());
        drop(publisher);
        assert_eq!(heard.iter().collect::<Vec<_>>(), ["2\n"]);
        assert_eq!(file.read().unwrap().as_deref(), Some("2\ncosigned\n"));
    }

    /// Goal: whoever reads the log at any moment finds the witnesses' lines.
    #[test]
    fn a_checkpoint_is_shown_once_its_witnesses_have_answered() {
        struct Slow(Sender<()>, std::sync::mpsc::Receiver<()>);
        impl Witnesses for Slow {
            fn ask(&mut self, note: &str) -> Asked {
                self.0.send(()).unwrap();
                self.1.recv().unwrap();
                Asked { cosigned: Some(format!("{note}cosigned\n")), again: None }
            }
        }
        let ground = tempfile::tempdir().unwrap();
        let file = CheckpointFile::at(ground.path().join("checkpoint"));
        let ((asked, heard), (answer, answered)) = (channel(), channel());
        let before = Some("1\ncosigned\n".to_owned());
        let publisher = Publisher::witnessed(file, before, Slow(asked, answered)).unwrap();
        publisher.offer(Arc::from("2\n"), true);
        heard.recv().unwrap();
        assert_eq!(publisher.published().as_deref(), Some("2\n"));
        assert_eq!(publisher.shown().as_deref(), Some("1\ncosigned\n"));
        answer.send(()).unwrap();
        wait_until(&publisher, |state| state.shown.as_deref() == Some("2\ncosigned\n"));
    }

    #[test]
    fn without_witnesses_what_is_published_is_shown() {
        let ground = tempfile::tempdir().unwrap();
        let file = CheckpointFile::at(ground.path().join("checkpoint"));
        let publisher = Publisher::start(file, None).unwrap();
        assert_eq!(publisher.shown(), None);
        publisher.offer(Arc::from("1\n"), false);
        wait_until(&publisher, |state| state.shown.as_deref() == Some("1\n"));
    }

    #[test]
    fn news_stay_news_until_they_are_published() {
        let publisher = Publisher::nowhere();
        publisher.offer(Arc::from("1\n"), true);
        publisher.offer(Arc::from("2\n"), false);
        let offered = publisher.shared.state().waiting.clone().unwrap();
        assert_eq!((&*offered.note, offered.news), ("2\n", true));
    }

    #[test]
    fn who_did_not_cosign_is_asked_again() {
        let shared = Shared::default();
        shared.state().published = Some(Arc::from("1\n"));
        match shared.next(Some(Instant::now())) {
            Some(Turn::Ask(note)) => assert_eq!(&*note, "1\n"),
            _ => panic!("it waits for something else"),
        }
    }
}
