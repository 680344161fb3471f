use std::collections::VecDeque;
use std::time::Duration;

use super::Whose::{Anybodys, Known};
use super::tests::{begin, cheap, entropy, password, unattended};
use super::*;

/// Goal: a flood of strangers leaves known devices some room.
#[test]
fn an_eighth_of_the_queue_is_for_known_devices() {
    let hasher = unattended(cheap().with_queue(16));
    let verify = |whose| Box::pin(hasher.check_of(whose, password("some password"), None));
    let offered = |whose| {
        let mut job = verify(whose);
        (begin(job.as_mut()).is_pending(), job)
    };
    let all: Vec<_> = (0..20).map(|_| offered(Anybodys)).collect();
    assert_eq!(all.iter().filter(|(waits, _)| *waits).count(), 14);
    let known: Vec<_> = (0..4).map(|_| offered(Known)).collect();
    assert_eq!(known.iter().filter(|(waits, _)| *waits).count(), 2);
}

fn job(whose: Whose) -> Job {
    let asked = Asked { compute: |_: &mut Memory| Ok(()), answer: oneshot::channel().0 };
    Job { deadline: None, whose, work: Box::new(asked) }
}

/// Goal: in a flood hashing leaves decisions most of its time, and keeps nobody waiting for
/// that who is known.
#[test]
fn in_a_flood_a_worker_rests_from_strangers_but_not_from_known_devices() {
    let next_of = |capacity, whose: &[Whose]| {
        let jobs: VecDeque<_> = whose.iter().copied().map(job).collect();
        [false, true].map(|has_rested| Queue::of(capacity).next(&jobs, has_rested))
    };
    let next = |whose: &[Whose]| next_of(4, whose);
    assert_eq!(next(&[]), [None, None]);
    assert_eq!(next(&[Anybodys, Known]), [Some(0), Some(0)], "two of four are no flood");
    assert_eq!(next(&[Anybodys; 3]), [None, Some(0)]);
    assert_eq!(next(&[Anybodys, Anybodys, Known]), [Some(2), Some(0)]);
    assert_eq!(next_of(1, &[Anybodys]), [Some(0), Some(0)], "a short queue is served");
}

/// Goal: in a flood no hash keeps a processor for itself from one of the kernel's ticks to
/// the next, and nothing ticks for nothing.
#[test]
fn processors_tick_faster_while_a_flood_is_hashed() {
    let (queue, ticks) = (Queue::of(8), Arc::new(Ticks::default()));
    let offered = |whose| {
        let (answer, answered) = oneshot::channel();
        let ticks = Arc::clone(&ticks);
        let compute = move |_: &mut Memory| Ok(ticks.are_wanted());
        let work = Box::new(Asked { compute, answer });
        queue.offer(Job { deadline: None, whose, work }).unwrap();
        answered
    };
    let six = [Anybodys, Known, Anybodys, Anybodys, Anybodys, Anybodys].map(offered);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            queue.work(&mut Memory::for_cost(cheap().cost).unwrap(), &ticks);
        });
        let wanted = six.map(|answered| answered.blocking_recv().unwrap().unwrap());
        queue.close();
        assert_eq!(wanted, [true, false, false, false, false, false], "six of eight are a flood");
    });
    assert!(!ticks.are_wanted());
}

/// Goal: what a rest has left waiting is served after it, whether or not anything comes.
#[tokio::test]
async fn all_of_a_flood_are_served_in_the_end() {
    let settings = cheap().with_queue(64).with_patience(Duration::from_secs(3_600));
    let hasher = Hasher::start(settings, entropy()).unwrap();
    let jobs = (0..56).map(|_| hasher.check(password("some password"), None));
    let served = futures_util::future::join_all(jobs).await;
    assert!(served.iter().all(|verdict| matches!(verdict, Ok(it) if !it.matches)));
    assert_eq!((hasher.computed(), hasher.queued()), (56, 0));
}
