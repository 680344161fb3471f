//! What holds of any course of logins, however their halves interleave.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index as Pick;
use uuid::Uuid;

use super::Refusal;
use super::fixture::{Story, named};
use super::login::Attempt;
use super::mfa::{self, Candidate};
use super::session::{self, SESSIONS_PER_USER_MAX};
use crate::event::{DecisionSettings, Event, ThrottleSettings};
use crate::model::Aal;
use crate::projection::Person;

const NAMES: [&str; 3] = ["alice", "bob", "nobody"];

/// One half of something, by any of the persons or sessions there are.
#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Begin(Pick),
    Conclude(Pick, bool),
    Offer(Pick),
    Candidates(Pick),
    Verdict(Pick, Option<u64>),
    LogOut(Pick),
}

fn step() -> impl Strategy<Value = Step> {
    let right = prop::bool::weighted(0.8);
    let code = prop::option::weighted(0.9, 0_u64..12);
    prop_oneof![
        4 => (0_u64..60).prop_map(Step::Wait),
        1 => (600_u64..4_000).prop_map(Step::Wait),
        6 => any::<Pick>().prop_map(Step::Begin),
        8 => (any::<Pick>(), right).prop_map(|(which, right)| Step::Conclude(which, right)),
        8 => any::<Pick>().prop_map(Step::Offer),
        8 => any::<Pick>().prop_map(Step::Candidates),
        16 => (any::<Pick>(), code).prop_map(|(which, step)| Step::Verdict(which, step)),
        1 => any::<Pick>().prop_map(Step::LogOut),
    ]
}

/// A course of steps with everything that has begun and may be concluded, any number
/// of times: a story, the halves left open, and the steps accepted by credential.
struct Course {
    story: Story,
    attempts: Vec<Attempt>,
    sessions: Vec<Uuid>,
    asked: Vec<(Uuid, Candidate)>,
    accepted: BTreeMap<Uuid, BTreeSet<u64>>,
}

impl Course {
    fn new() -> Self {
        let mut story = Story::new();
        story.person("alice");
        story.person("bob");
        let (attempts, sessions, asked) = (Vec::new(), Vec::new(), Vec::new());
        Self { story, attempts, sessions, asked, accepted: BTreeMap::new() }
    }

    fn session(&self, which: Pick) -> Uuid {
        pick(&self.sessions, which).unwrap_or(Uuid::nil())
    }

    fn take(&mut self, step: &Step) -> Result<Vec<Event>, Refusal> {
        match step {
            Step::Wait(seconds) => self.story.pass(*seconds),
            Step::Begin(which) => self.attempts.extend(self.story.begin(which.get::<&str>(&NAMES))),
            Step::Conclude(which, right) => {
                let Some(attempt) = pick(&self.attempts, *which) else { return Ok(Vec::new()) };
                return self.story.conclude(&attempt, *right);
            }
            Step::Offer(which) => drop(self.story.offer(self.session(*which))),
            Step::Candidates(which) => {
                let session = self.session(*which);
                let found = mfa::candidates(&self.story.world, session, self.story.now);
                let found = found.into_iter().flatten();
                self.asked.extend(found.map(|candidate| (session, candidate)));
            }
            Step::Verdict(which, step) => {
                let Some((session, one)) = pick(&self.asked, *which) else { return Ok(Vec::new()) };
                return self.story.code(session, one.credential, *step);
            }
            Step::LogOut(which) => {
                let session = self.session(*which);
                let out = session::log_out(&self.story.world, session, self.story.now)?;
                self.story.facts(&out);
            }
        }
        Ok(Vec::new())
    }

    /// What must be true of what a step decided.
    fn judge(&mut self, step: &Step, events: &[Event]) {
        for event in events {
            match event {
                Event::SessionStarted(it) => {
                    assert!(matches!(step, Step::Conclude(_, true)), "{step:?}");
                    assert_ne!(it.person, named("nobody"));
                    self.sessions.push(it.session);
                }
                Event::MfaVerified(it) => {
                    assert!(matches!(step, Step::Verdict(_, Some(_))), "{step:?}");
                    let used = self.accepted.entry(it.credential).or_default();
                    assert!(used.last().is_none_or(|last| it.step > *last), "{used:?} {it:?}");
                    used.insert(it.step);
                }
                _ => {}
            }
        }
        let raised = events.iter().any(|event| matches!(event, Event::SessionRaised(_)));
        let verified = events.iter().any(|event| matches!(event, Event::MfaVerified(_)));
        let bound = events.iter().any(|event| matches!(event, Event::MfaEnrolled(_)));
        assert!(verified || !raised, "{events:?}");
        assert!(raised || bound || !verified, "{events:?}");
    }

    /// What must be true of the World at any time.
    fn check(&self) {
        for session in self.story.world.sessions.iter() {
            assert_eq!(Some(session.aal), session.methods.aal());
            let person = self.story.world.identities.get(session.person.as_ref().unwrap());
            assert!(session.aal < Aal::TWO || !person.unwrap().totps.is_empty());
        }
        for name in NAMES {
            assert!(self.story.sessions(name).len() <= SESSIONS_PER_USER_MAX);
        }
    }
}

fn pick<T: Clone>(all: &[T], which: Pick) -> Option<T> {
    (!all.is_empty()).then(|| which.get(all).clone())
}

proptest! {
    /// Law: in any order of begun and concluded halves, a TOTP step is accepted at most
    /// once and only forwards, no session is stronger than its methods, only a right
    /// secret makes one, and nobody has more than the limit.
    #[test]
    fn no_course_of_logins_breaks_the_rules(
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut course = Course::new();
        for step in steps {
            let events = course.take(&step).unwrap_or_default();
            course.judge(&step, &events);
            course.check();
        }
    }
}

/// What one authenticator's counter must show, by the plainest model there is.
#[derive(Clone, Copy, Default)]
struct Counters {
    password: u32,
    totp: u32,
}

/// Law: failures count with their own authenticator, and only its own success forgets
/// them; a right password or a new session does not give a code-guesser new tries.
///
/// Source: SP 800-63B-4 §3.2.2. Every course of six steps is tried.
#[test]
fn every_authenticator_has_its_own_counter() {
    let throttle = ThrottleSettings { failures_free: u32::MAX, ..ThrottleSettings::default() };
    let settings = DecisionSettings { throttle, ..DecisionSettings::default() };
    let mut story = Story::under(settings);
    story.person("alice");
    let (session, totp) = story.second_factor("alice");
    tried(&story, session, totp, Counters::default(), 6);
}

fn tried(story: &Story, session: Uuid, totp: Uuid, before: Counters, depth: u32) {
    let alice: &Person = story.world.identities.get(&named("alice")).unwrap();
    assert_eq!(alice.password.as_ref().unwrap().credential.failures, before.password);
    assert_eq!(alice.totps[0].credential.failures, before.totp);
    if depth == 0 {
        return;
    }
    let used = alice.totps[0].last_step.unwrap();
    let codes = [(None, before.totp + 1), (Some(used), before.totp + 1), (Some(used + 1), 0)];
    for (step, failures) in codes {
        let mut next = story.clone();
        next.code(session, totp, step).unwrap();
        tried(&next, session, totp, Counters { totp: failures, ..before }, depth - 1);
    }
    for (right, failures) in [(false, before.password + 1), (true, 0)] {
        let mut next = story.clone();
        next.password("alice", right).unwrap();
        tried(&next, session, totp, Counters { password: failures, ..before }, depth - 1);
    }
}
