//! The script is played: each act is a command to the writer like any other, decided in
//! the World of its moment and recorded. Only the clock is another.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use uuid::Uuid;

use super::super::super::failure::Failure;
use super::super::super::folder::Operator;
use super::script::{Act, Visit, What};
use crate::authn::{Refusal, Report, report};
use crate::clock::ManualClock;
use crate::entropy::{draw, uuid_v7};
use crate::event::{Actor, Event, Presented, Reported, Verdict};
use crate::model::{Digest, Method, Moment};
use crate::pdp::{Ask, decide};
use crate::projection::World;
use crate::sequencer::{CommitError, Committed, Expected, Origin};

/// How many acts stand before the writer at once: enough to fill its groups, fewer than its
/// queue takes.
const AHEAD: usize = 256;

/// Where the identity provider's users come from.
pub(super) const SOURCE: &str = "https://login.example.org";

/// Who plays, and what has come of it so far.
pub(super) struct Performance<'o> {
    operator: &'o Operator,
    clock: ManualClock,
    /// What asks for decisions.
    gateway: Uuid,
    /// What reports sign-ins.
    provider: Uuid,
    tokens: HashMap<u64, Digest>,
    pub(super) tally: Tally,
}

/// What has been recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct Tally {
    pub(super) decisions: u64,
    pub(super) allowed: u64,
    pub(super) denied: u64,
    /// Denials that said which login would help.
    pub(super) step_ups: u64,
    pub(super) sign_ins: u64,
}

type Commit<'c> = Pin<Box<dyn Future<Output = Result<Committed, CommitError<Refusal>>> + 'c>>;
type Decide = Box<dyn FnOnce(&World, Moment) -> Result<Vec<Event>, Refusal> + Send>;

impl<'o> Performance<'o> {
    /// With the ids of the two services that take part, by the clock that the operator's
    /// node goes by.
    pub(super) fn new(
        operator: &'o Operator,
        clock: ManualClock,
        (gateway, provider): (Uuid, Uuid),
    ) -> Self {
        let tokens = HashMap::new();
        Self { operator, clock, gateway, provider, tokens, tally: Tally::default() }
    }

    /// Plays some acts, which are in the order of time; tells how many, now and then.
    ///
    /// # Errors
    /// [`Failure`]: one of them cannot be recorded.
    pub(super) fn play(
        &mut self,
        acts: &[Act],
        mut played: impl FnMut(usize),
    ) -> Result<(), Failure> {
        for (group, some) in acts.chunks(AHEAD).enumerate() {
            let before = group * AHEAD;
            let after = acts.get(before + some.len());
            let recorded = self.together(some, after)?;
            recorded.iter().for_each(|committed| self.count(committed));
            played(before + some.len());
        }
        Ok(())
    }

    /// Has some acts stand before the writer together. It decides them in order, and each,
    /// once decided, moves the clock on to the next.
    fn together(&mut self, acts: &[Act], after: Option<&Act>) -> Result<Vec<Committed>, Failure> {
        let Some(first) = acts.first() else { return Ok(Vec::new()) };
        self.clock.set(first.at);
        let nexts = acts.iter().skip(1).chain(after).map(|act| Some(act.at)).chain([None]);
        let mut commands = Vec::new();
        for (act, next) in acts.iter().zip(nexts) {
            let (origin, decide) = self.command(act)?;
            let clock = self.clock.clone();
            let decide: Decide = Box::new(move |world, now| {
                let decided = decide(world, now);
                if let Some(next) = next {
                    clock.set(next);
                }
                decided
            });
            commands.push((origin, decide));
        }
        let sequencer = &self.operator.node().sequencer;
        let work = async {
            let mut waiting = Vec::new();
            for (origin, decide) in commands {
                let mut commit: Commit<'_> =
                    Box::pin(sequencer.commit(origin, Expected::default(), decide));
                // Polled once, it stands in the writer's queue, behind those before it.
                let early = poll_fn(|context| {
                    Poll::Ready(match commit.as_mut().poll(context) {
                        Poll::Ready(done) => Some(done),
                        Poll::Pending => None,
                    })
                });
                waiting.push((early.await, commit));
            }
            let mut recorded = Vec::new();
            for (early, commit) in waiting {
                let done = match early {
                    Some(done) => done,
                    None => commit.await,
                };
                recorded.push(done.map_err(Failure::from)?);
            }
            Ok(recorded)
        };
        self.operator.wait_for(work)
    }

    /// What the writer is to do for an act, and on whose behalf.
    fn command(&mut self, act: &Act) -> Result<(Origin, Decide), Failure> {
        let by = |service| Origin::of(Actor::Service(service), None);
        Ok(match &act.what {
            What::Ask { request, visit } => {
                let (gateway, request) = (self.gateway, Arc::clone(request));
                let token =
                    visit.as_ref().and_then(|visit| self.tokens.get(&visit.number)).copied();
                let decide: Decide = Box::new(move |world, now| {
                    let presented = token.map_or(Presented::Nothing, |token| {
                        let session = world.sessions.by_session_token(&token);
                        session.map_or(Presented::Unknown, |it| Presented::Session(it.id))
                    });
                    let ask = Ask::access(request, presented, gateway.to_string());
                    let ask = Ask { step_up: token.is_some(), ..ask };
                    Ok(vec![Event::AccessDecided(Box::new(decide(world, &ask, now)))])
                });
                (by(gateway), decide)
            }
            What::Password(visit) => {
                let told = self.told(act.at, *visit, Reported::PasswordVerified, Method::Pwd)?;
                (by(self.provider), reporting(self.provider, told))
            }
            What::Code(visit) => {
                let told = self.told(act.at, *visit, Reported::MfaVerified, Method::Otp)?;
                (by(self.provider), reporting(self.provider, told))
            }
        })
    }

    /// What the identity provider says of a session.
    fn told(
        &mut self,
        at: Moment,
        visit: Visit,
        what: Reported,
        method: Method,
    ) -> Result<Report, Failure> {
        let entropy = &*self.operator.node().surroundings.entropy;
        let fresh_session = uuid_v7(entropy, at).map_err(Failure::could_not_run)?;
        let random = draw::<32>(entropy).map_err(Failure::could_not_run)?;
        let session_token = *self.tokens.entry(visit.number).or_insert_with(|| Digest::of(*random));
        let id = fresh_session.to_string();
        Ok(Report {
            content: Digest::of(&id),
            id,
            source: SOURCE.to_owned(),
            what,
            subject: visit.who.to_owned(),
            session_token,
            methods: [method].into_iter().collect(),
            reported_at: at,
            fresh_session,
        })
    }

    fn count(&mut self, committed: &Committed) {
        let tally = &mut self.tally;
        for entry in &committed.entries {
            match &entry.event {
                Event::AccessDecided(decided) => {
                    tally.decisions += 1;
                    match decided.decision {
                        Verdict::Allow => tally.allowed += 1,
                        Verdict::Deny => tally.denied += 1,
                    }
                    let helps = |it: &crate::event::StepUp| !it.acr_values.is_empty();
                    tally.step_ups += u64::from(decided.step_up.as_ref().is_some_and(helps));
                }
                Event::AuthenticationReported(_) => tally.sign_ins += 1,
                _ => {}
            }
        }
    }
}

fn reporting(provider: Uuid, told: Report) -> Decide {
    Box::new(move |world, now| report(world, provider, &told, now))
}
