//! The one writer, when the disk fails, when many propose, when a command is bad.

use std::collections::HashSet;
use std::sync::Arc;
use std::thread;

use countersign::authn::Refusal;
use countersign::authn::persons::{self, NewPerson};
use countersign::event::{Event, SchemaSubmitted, SigningKeyAdopted};
use countersign::event_store::{EventStore as _, Fault, IdempotencyKey, MemoryStore};
use countersign::model::{Digest, Index, Label, SetKind, StreamName, Version};
use countersign::projection::{Artefacts, World};
use countersign::sequencer::{
    Authority, CommitError, Committed, Expected, Key, Origin, SequencerSettings, recover,
};
use countersign::tlog::SigningKey;
use tokio::task::yield_now;
use uuid::Uuid;

use crate::writer::{Told, Writer, entity_put, entries, registered, tick};

fn node() -> StreamName {
    StreamName::single("node")
}

fn at_version(version: u64) -> Expected {
    Expected { versions: vec![(node(), Version(version))], ..Expected::default() }
}

fn under_key(id: &str) -> Expected {
    let name = IdempotencyKey::of("a source", id);
    let answers = |event: &Event| matches!(event, Event::NodeStarted(_));
    Expected { key: Some(Key { name, answers }), ..Expected::default() }
}

fn indices(told: &Told) -> Vec<u64> {
    told.as_ref().unwrap().entries.iter().map(|entry| entry.index.0).collect()
}

/// Registers a person by the real command, which refuses a name that is taken.
fn register(
    name: &str,
) -> impl FnOnce(&World, countersign::model::Moment) -> Result<Vec<Event>, Refusal> + Send + use<> {
    let new = NewPerson { name: name.parse().unwrap(), roles: Vec::new(), ticket: None };
    move |world, now| persons::register(world, &new, now)
}

/// Goal: nothing is acknowledged that is not there; after a failed commit nobody is
/// told anything but that, nothing is written any more, and nothing panics; a restart
/// goes on from what the disk holds.
///
/// Law of [`Fault::Kept`]: what was written though its sync failed may be there after a
/// restart, unacknowledged; what was acknowledged must.
#[tokio::test]
async fn after_a_failed_commit_nothing_is_acknowledged_any_more() {
    for (fault, kept) in [(Fault::Lost, 2), (Fault::Kept, 8)] {
        let store = MemoryStore::failing_at(3, fault);
        let writer = Writer::over(store, SequencerSettings::default()).begin().await;
        let second = writer.commit(vec![registered("alice")]).await;
        assert_eq!(indices(&second), [1]);
        let digest = writer.sequencer.world().digest();

        let gate = writer.hold().await;
        let mut group: Vec<_> = (0..6)
            .map(|at| {
                writer.propose(Expected::default(), move |_, _| Ok(vec![tick(&at.to_string())]))
            })
            .collect();
        // A refusal may rest on what was lost, and so is not told either.
        group.push(writer.propose(Expected::default(), register("alice")));
        group.push(writer.propose(at_version(9), |_, _| Ok(vec![tick("never")])));
        yield_now().await;
        drop(gate);
        for told in group {
            let told = told.await.unwrap();
            assert!(matches!(told, Err(CommitError::Unavailable)), "{fault:?}: {told:?}");
        }

        let why = writer.sequencer.failed().unwrap();
        assert!(why.contains("a fault was injected"), "the cause is named: {why}");
        for _ in 0..3 {
            let later = writer.commit(vec![tick("later")]).await;
            assert!(matches!(later, Err(CommitError::Unavailable)), "{fault:?}: {later:?}");
        }
        assert_eq!(writer.sequencer.world().digest(), digest, "nobody sees what was not durable");
        assert_eq!(*writer.sequencer.newest().borrow(), Some(Index(1)));

        let restarted =
            Writer::over(writer.store.reopened().unwrap(), SequencerSettings::default());
        assert_eq!(restarted.store.size(), kept, "{fault:?}");
        assert_eq!(restarted.log()[1], *second.unwrap().entries[0]);
        assert_eq!(indices(&restarted.commit(vec![tick("on")]).await), [kept]);
    }
}

/// Goal: proposals that were on their way when the disk failed are answered too, those
/// that had not been looked at included.
#[tokio::test]
async fn what_waited_while_the_disk_failed_is_answered() {
    let settings = SequencerSettings { group_entries: 1, ..SequencerSettings::default() };
    let store = MemoryStore::failing_at(2, Fault::Lost);
    let writer = Writer::over(store, settings).begin().await;
    let gate = writer.hold().await;
    let waiting: Vec<_> = (0..50)
        .map(|_| writer.propose(Expected::default(), |_, _| Ok(vec![tick("waiting")])))
        .collect();
    yield_now().await;
    drop(gate);
    for told in waiting {
        assert!(matches!(told.await.unwrap(), Err(CommitError::Unavailable)));
    }
    assert_eq!(writer.sequencer.queued(), 0);
    assert_eq!(writer.store.size(), 1);
}

/// Goal: where there is no room nothing is acknowledged, everybody hears why, and nothing
/// is given up: the next group finds room and goes on where the last durable one ended.
#[tokio::test]
async fn without_room_nothing_is_acknowledged_and_nothing_is_given_up() {
    let store = MemoryStore::failing_at(3, Fault::NoRoom);
    let writer = Writer::over(store, SequencerSettings::default()).begin().await;
    writer.commit(vec![registered("alice")]).await.unwrap();
    let digest = writer.sequencer.world().digest();

    let gate = writer.hold().await;
    let mut group: Vec<_> = (0..6)
        .map(|at| writer.propose(Expected::default(), move |_, _| Ok(vec![tick(&at.to_string())])))
        .collect();
    group.push(writer.propose(Expected::default(), register("alice")));
    yield_now().await;
    drop(gate);
    for told in group {
        let told = told.await.unwrap();
        assert!(matches!(told, Err(CommitError::NoRoom)), "{told:?}");
    }
    assert!(writer.sequencer.no_room() && writer.sequencer.failed().is_none());
    assert_eq!(writer.sequencer.world().digest(), digest);
    assert_eq!(writer.store.size(), 2);

    assert_eq!(indices(&writer.commit(vec![tick("room")]).await), [2]);
    assert!(!writer.sequencer.no_room());
    assert_eq!(writer.log().len(), 3);
}

/// Goal: what cannot be signed is not written. A key that is in force by the log and was
/// not opened stops the writer before the store is asked.
#[tokio::test]
async fn a_group_that_cannot_be_signed_is_not_written() {
    let writer = Writer::new().begin().await;
    let key = SigningKey::new("log.example".parse().unwrap(), &[7; 32]);
    let adopted = Event::SigningKeyAdopted(SigningKeyAdopted {
        verifier_key: key.verifier(),
        credential: Uuid::from_u128(9),
        sealed: Digest::of("sealed"),
    });
    let told = writer.commit(vec![adopted]).await;
    assert!(matches!(told, Err(CommitError::Unavailable)), "{told:?}");
    let why = writer.sequencer.failed().unwrap();
    assert!(why.contains("was not opened"), "the cause is named: {why}");
    let later = writer.commit(vec![tick("later")]).await;
    assert!(matches!(later, Err(CommitError::Unavailable)), "{later:?}");
    assert_eq!(writer.store.size(), 1);
    assert!(writer.sequencer.world().signing.iter().next().is_none());
}

/// What one of many proposers has been told.
struct Heard {
    recorded: Vec<Committed>,
    refused: usize,
}

/// Proposes again and again from a thread of its own: single events, batches,
/// refusals.
fn keep_proposing(writer: &Writer, who: usize) -> Heard {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut heard = Heard { recorded: Vec::new(), refused: 0 };
    for round in 0..60_u64 {
        let name = format!("{who}-{round}");
        // The clock jumps, back as well.
        writer.clock.set(crate::writer::noon().plus_seconds(round * 37 % 11));
        let decide = move |world: &World, now| match round % 4 {
            0 => Ok(vec![tick(&name)]),
            1 => Ok(vec![registered(&name), tick(&name), tick(&name)]),
            // One of all wins this name; everybody else is refused.
            2 => register("shared")(world, now),
            _ => Ok(vec![registered(&name)]),
        };
        let sequencer = &writer.sequencer;
        match runtime.block_on(sequencer.commit(Origin::node(), Expected::default(), decide)) {
            Ok(committed) => heard.recorded.push(committed),
            Err(CommitError::Refused(Refusal::PersonExists { .. })) => heard.refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    heard
}

/// Goal: however many propose, there is one order without gaps: indices, versions of
/// each stream, ids and times; batches stay together; each hears of exactly what was
/// recorded for it, in a World that has it.
#[test]
fn many_proposers_make_one_log_without_gaps() {
    let settings = SequencerSettings { group_wait_us: 200, ..SequencerSettings::default() };
    let writer = Writer::over(MemoryStore::new(), settings);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let writer = runtime.block_on(writer.begin());
    let heard: Vec<_> = thread::scope(|scope| {
        let writer = &writer;
        let threads: Vec<_> =
            (0..8).map(|who| scope.spawn(move || keep_proposing(writer, who))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });

    let log = writer.log();
    // `recover` checks that each entry follows the one before it.
    let recovered = recover(&*writer.store, &Artefacts::default(), |_, _| {}).unwrap();
    assert_eq!(recovered.world.digest(), writer.sequencer.world().digest());
    let refused: usize = heard.iter().map(|it| it.refused).sum();
    assert_eq!(refused, 8 * 15 - 1);
    let mut told = HashSet::from([Index(0)]);
    for committed in heard.iter().flat_map(|it| &it.recorded) {
        let first = committed.entries.first().unwrap();
        for (offset, entry) in committed.entries.iter().enumerate() {
            assert_eq!(entry.index.0, first.index.0 + offset as u64, "a batch stays together");
            assert_eq!(entry.causation, first.id);
            assert_eq!(**entry, log[usize::try_from(entry.index.0).unwrap()]);
            assert!(told.insert(entry.index), "{} was given twice", entry.index);
        }
        assert!(committed.world.through >= committed.entries.last().map(|entry| entry.index));
    }
    assert_eq!(told.len(), log.len());
}

/// Goal: who acts on what they have read acts on it or not at all, within one group and
/// later.
#[tokio::test]
async fn of_two_who_expect_one_version_the_second_hears_of_a_conflict() {
    let writer = Writer::new().begin().await;
    let gate = writer.hold().await;
    let first = writer.propose(at_version(1), |_, _| Ok(vec![tick("first")]));
    let second = writer.propose(at_version(1), |_, _| Ok(vec![tick("second")]));
    yield_now().await;
    drop(gate);

    assert_eq!(indices(&first.await.unwrap()), [1]);
    for late in [second, writer.propose(at_version(1), |_, _| Ok(vec![tick("third")]))] {
        let late = late.await.unwrap();
        let Err(CommitError::Conflict { stream, expected, found }) = late else {
            panic!("{late:?}")
        };
        assert_eq!((stream, expected, found), (node(), Version(1), Version(2)));
    }
    let next = writer.propose(at_version(2), |_, _| Ok(vec![tick("next")]));
    assert_eq!(indices(&next.await.unwrap()), [2]);
}

/// Goal: a command that is sent again is recorded once: in the same group, in a later
/// one, and after a restart.
#[tokio::test]
async fn a_repeated_command_is_answered_by_the_first() {
    let writer = Writer::new().begin().await;
    let batch = |_: &World, _| Ok(vec![registered("alice"), tick("the answer")]);
    let gate = writer.hold().await;
    let first = writer.propose(under_key("1"), batch);
    let again = writer.propose(under_key("1"), batch);
    let other = writer.propose(under_key("2"), |_, _| Ok(vec![tick("another")]));
    yield_now().await;
    drop(gate);

    assert_eq!(indices(&first.await.unwrap()), [1, 2]);
    let again = again.await.unwrap();
    assert!(again.as_ref().unwrap().repeated);
    assert_eq!(indices(&again), [2], "the event that answers the command");
    assert_eq!(indices(&other.await.unwrap()), [3]);
    let later = writer.propose(under_key("1"), batch).await.unwrap();
    assert_eq!(indices(&later), [2]);

    let restarted = Writer::over(writer.store.reopened().unwrap(), SequencerSettings::default());
    let anew = restarted.propose(under_key("1"), batch).await.unwrap();
    assert!(anew.as_ref().unwrap().repeated);
    assert_eq!(indices(&anew), [2]);
    assert_eq!(restarted.store.size(), 4);
}

/// Goal: the name of a command that was refused is free: its sender may put it right.
#[tokio::test]
async fn a_refused_command_leaves_its_name_free() {
    let writer = Writer::new().begin().await;
    let refused = |_: &World, _| Err(Refusal::LoginFailed);
    let told = writer.propose(under_key("1"), refused).await.unwrap();
    assert!(matches!(told, Err(CommitError::Refused(Refusal::LoginFailed))));
    let right = writer.propose(under_key("1"), |_, _| Ok(vec![tick("right")])).await.unwrap();
    assert!(!right.as_ref().unwrap().repeated);
    assert_eq!(indices(&right), [1]);
}

/// Goal: a refused command leaves nothing behind, whatever it had put together: not an
/// entry, not a gap, not a trace in the World that the next command sees.
#[tokio::test]
async fn what_is_refused_leaves_nothing_behind() {
    let writer = Writer::new().begin().await;
    let gate = writer.hold().await;
    let first = writer.propose(Expected::default(), register("alice"));
    let twice = writer.propose(Expected::default(), register("alice"));
    let huge = writer.propose(Expected::default(), |_, _| {
        let (publication, set, text) = (Uuid::nil(), SetKind::Application, "x".repeat(60_000));
        let huge = Event::SchemaSubmitted(SchemaSubmitted { publication, set, text });
        Ok(vec![registered("bob"), huge])
    });
    let last = writer.propose(Expected::default(), |world, _| {
        assert!(world.identities.get(&"bob".parse().unwrap()).is_none());
        Ok(vec![registered("bob")])
    });
    yield_now().await;
    drop(gate);

    assert_eq!(indices(&first.await.unwrap()), [1]);
    let twice = twice.await.unwrap();
    assert!(matches!(twice, Err(CommitError::Refused(Refusal::PersonExists { .. }))));
    let huge = huge.await.unwrap();
    assert!(matches!(huge, Err(CommitError::TooLarge { bytes }) if bytes > 60_000), "{huge:?}");
    assert_eq!(indices(&last.await.unwrap()), [2]);
    assert_eq!(writer.store.size(), 3);
    let recovered = recover(&*writer.store, &Artefacts::default(), |_, _| {}).unwrap();
    assert_eq!(recovered.world.digest(), writer.sequencer.world().digest());
}

/// Goal: a defect in one command is that command's alone.
#[tokio::test]
async fn a_command_that_panics_ends_nobody_else() {
    let writer = Writer::new().begin().await;
    let gate = writer.hold().await;
    let before = writer.propose(Expected::default(), |_, _| Ok(vec![tick("before")]));
    let bad = writer.propose(Expected::default(), |_, _| panic!("a defect, for this test"));
    let authority = Authority::new(|_, _| panic!("another defect, for this test"));
    let worse = writer.propose(authority.into(), |_, _| Ok(vec![tick("never")]));
    let after = writer.propose(Expected::default(), |_, _| Ok(vec![tick("after")]));
    yield_now().await;
    drop(gate);

    assert!(matches!(bad.await.unwrap(), Err(CommitError::Defect)));
    let worse = worse.await.unwrap();
    assert!(matches!(worse, Err(CommitError::Withdrawn)), "what cannot be asked does not hold");
    assert_eq!(indices(&before.await.unwrap()), [1]);
    assert_eq!(indices(&after.await.unwrap()), [2]);
    assert_eq!(indices(&writer.commit(vec![tick("later")]).await), [3]);
    assert_eq!(writer.sequencer.failed(), None);
}

/// Goal: a clock set far back records nothing, for whatever is recorded would stand at
/// a time that is not its own; once it is right again, all goes on.
#[tokio::test]
async fn a_clock_far_behind_the_log_records_nothing() {
    let writer = Writer::new().begin().await;
    writer.clock.set(crate::writer::noon().minus_seconds(3_600));
    let early = writer.commit(vec![tick("early")]).await;
    assert!(matches!(early, Err(CommitError::ClockBehind)), "{early:?}");
    writer.clock.set(crate::writer::noon().minus_seconds(1));
    let told = writer.commit(vec![tick("almost right")]).await.unwrap();
    assert_eq!(told.entries[0].time, crate::writer::noon(), "time never goes back");
}

/// Goal: overload is said at once, and costs nobody who was taken in.
#[tokio::test]
async fn a_full_queue_refuses_the_next_at_once() {
    let settings = SequencerSettings { queue: 2, ..SequencerSettings::default() };
    let writer = Writer::over(MemoryStore::new(), settings).begin().await;
    let gate = writer.hold().await;
    let mut proposed: Vec<_> =
        (0..4).map(|_| writer.propose(Expected::default(), |_, _| Ok(vec![tick("one")]))).collect();
    for refused in proposed.split_off(2) {
        assert!(matches!(refused.await.unwrap(), Err(CommitError::Overloaded)));
    }
    assert_eq!(writer.sequencer.queued(), 2);
    drop(gate);
    for (at, taken) in (1..).zip(proposed) {
        assert_eq!(indices(&taken.await.unwrap()), [at]);
    }
    assert_eq!(writer.sequencer.queued(), 0);
}

/// Goal: no decision is recorded that was taken in a World that is no more; one that
/// nothing has touched is recorded as it was taken.
#[tokio::test]
async fn a_decision_of_an_older_epoch_is_taken_again() {
    let writer = Writer::new().begin().await;
    let old = writer.sequencer.world();
    let taken = |told: Told| told.unwrap().entries[0].event.clone();
    let record = |world: &Arc<World>| {
        writer.record(Arc::clone(world), tick("taken"), vec![tick("taken again")])
    };
    writer.commit(vec![tick("alters no decision")]).await.unwrap();
    assert_eq!(taken(record(&old).await.unwrap()), tick("taken"));

    // Within one group: what comes before counts, though it is not durable yet.
    let gate = writer.hold().await;
    let before = record(&old);
    let change = writer.propose(Expected::default(), register("alice"));
    let after = record(&old);
    yield_now().await;
    drop(gate);
    assert_eq!(taken(before.await.unwrap()), tick("taken"));
    assert_eq!(indices(&change.await.unwrap()), [4]);
    assert_eq!(taken(after.await.unwrap()), tick("taken again"));

    assert_eq!(taken(record(&old).await.unwrap()), tick("taken again"));
    let new = writer.sequencer.world();
    assert_eq!(taken(record(&new).await.unwrap()), tick("taken"));
}

/// Goal: however often the directory changes, a decision that has not looked at what has
/// changed is recorded as it was taken.
#[tokio::test]
async fn a_change_of_other_entities_leaves_a_decision_as_it_was_taken() {
    let writer = Writer::new().begin().await;
    let old = writer.sequencer.world();
    let record = || writer.record(Arc::clone(&old), tick("taken"), vec![tick("taken again")]);
    writer.commit(entity_put()).await.unwrap();
    assert_eq!(writer.sequencer.world().epoch, old.epoch + 1);
    assert_eq!(record().await.unwrap().unwrap().entries[0].event, tick("taken"));
    writer.commit(vec![registered("alice")]).await.unwrap();
    assert_eq!(record().await.unwrap().unwrap().entries[0].event, tick("taken again"));
}

/// Goal: no old answer is given as a new one, even where nothing has changed but the
/// time: a session's age is part of a decision.
#[tokio::test]
async fn a_decision_that_has_waited_is_taken_again() {
    let writer = Writer::new().begin().await;
    let world = writer.sequencer.world();
    for (waited, expected) in [(1, "taken"), (2, "taken again")] {
        writer.clock.set(crate::writer::noon());
        let gate = writer.hold().await;
        let record = writer.record(Arc::clone(&world), tick("taken"), vec![tick("taken again")]);
        yield_now().await;
        writer.clock.advance(waited);
        drop(gate);
        let told = record.await.unwrap().unwrap();
        assert_eq!(told.entries[0].event, tick(expected), "after {waited} s");
    }
}

/// Goal: an authority that an earlier entry has taken away counts no more, even in the
/// same group.
#[tokio::test]
async fn a_command_on_an_authority_withdrawn_meanwhile_is_refused() {
    let writer = Writer::new().begin().await;
    writer.commit(vec![registered("alice")]).await.unwrap();
    let (alice, same) = ("alice".parse().unwrap(), "alice".parse().unwrap());
    let authority = Authority::new(move |world, _| {
        world.identities.get(&alice).is_some_and(|person| !person.disabled)
    });
    let gate = writer.hold().await;
    let by_alice = || writer.propose(authority.clone().into(), |_, _| Ok(vec![tick("by alice")]));
    let in_time = by_alice();
    let disabled = writer.propose(Expected::default(), move |world, _| {
        persons::disable(world, &same, Label::default())
    });
    let late = by_alice();
    yield_now().await;
    drop(gate);

    assert_eq!(indices(&in_time.await.unwrap()), [2]);
    assert_eq!(indices(&disabled.await.unwrap()), [3]);
    assert!(matches!(late.await.unwrap(), Err(CommitError::Withdrawn)));
    assert_eq!(writer.store.size(), 4);
}

/// Goal: a client that has hung up before the writer came to its command was promised
/// nothing, and nothing is done.
#[tokio::test]
async fn the_command_of_who_has_gone_is_not_carried_out() {
    let writer = Writer::new().begin().await;
    let gate = writer.hold().await;
    let gone = writer.propose(Expected::default(), |_, _| Ok(vec![tick("gone")]));
    let stays = writer.propose(Expected::default(), |_, _| Ok(vec![tick("stays")]));
    yield_now().await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    drop(gate);
    assert_eq!(indices(&stays.await.unwrap()), [1]);
    let last = entries(&*writer.store).pop().unwrap();
    assert_eq!(last.event, tick("stays"));
}
