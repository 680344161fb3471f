//! Every so many evaluations, one is decided by Cedar's own authorizer as well.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{App, Problem, body};
use crate::cedar::{Fault, on_large_stack};
use crate::event::{AccessDecided, Event, PolicyIndexDoubted};
use crate::model::Moment;
use crate::pdp::{Ask, SharedFacts, doubt};
use crate::projection::World;
use crate::sequencer::{Expected, Origin};

/// After a check has taken so long, this many times as long passes before the next: with
/// a hundred thousand policies, too, the checks take no more than 2 % of a core.
const REST: u32 = 50;

/// Says when a check is due, and keeps what was found until it is on the record.
#[derive(Debug)]
pub struct CrossCheck {
    every: Option<NonZeroU64>,
    turn: Mutex<Turn>,
}

#[derive(Debug, Default)]
struct Turn {
    since: u64,
    running: bool,
    rests_until: Option<Instant>,
    found: Option<PolicyIndexDoubted>,
}

/// What an evaluation has to do first.
#[derive(Debug, PartialEq)]
enum Step {
    Nothing,
    /// It is the one to check; no other is until [`CrossCheck::done`].
    Check,
    /// Something was found and is not on the record yet: nobody is answered before.
    Record(PolicyIndexDoubted),
}

impl CrossCheck {
    /// One in `every` evaluations; none at all for 0.
    pub fn one_in(every: u64) -> Self {
        Self { every: NonZeroU64::new(every), turn: Mutex::default() }
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an evaluation.
    fn step(&self, now: Instant) -> Step {
        let Some(every) = self.every else { return Step::Nothing };
        let mut turn = self.turn();
        if let Some(found) = &turn.found {
            return Step::Record(found.clone());
        }
        turn.since = turn.since.saturating_add(1);
        let rested = turn.rests_until.is_none_or(|until| now >= until);
        if turn.since < every.get() || turn.running || !rested {
            return Step::Nothing;
        }
        (turn.since, turn.running) = (0, true);
        Step::Check
    }

    fn done(&self, now: Instant, took: Duration) {
        let mut turn = self.turn();
        turn.running = false;
        turn.rests_until = now.checked_add(took.saturating_mul(REST));
    }
}

/// Ends a check however it ends. It is held by the work, not by the one who waits for it:
/// hanging up neither ends a check nor forgets what it finds.
struct Running {
    check: Arc<CrossCheck>,
    begun: Instant,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.check.done(Instant::now(), self.begun.elapsed());
    }
}

/// A decision that may be looked at a second time.
pub struct Taken<'a> {
    /// The World it was taken in.
    pub world: &'a Arc<World>,
    /// When.
    pub now: Moment,
    /// What was decided, nothing of it sealed yet.
    pub decided: &'a AccessDecided,
}

/// Where it is this evaluation's turn, decides it by Cedar's own authorizer too, away from
/// the workers. A difference is recorded before anybody is answered; true says that it
/// was, and that the decision must be taken again in the newest World, where every policy
/// is asked.
///
/// # Errors
/// Why the difference could not be recorded: then there is no answer, for this evaluation
/// or any other, until it is.
pub async fn differs(
    app: &App,
    origin: &Origin,
    taken: &Taken<'_>,
    ask: impl FnOnce() -> Ask,
) -> Result<bool, Problem> {
    match app.cross_check.step(Instant::now()) {
        Step::Nothing => Ok(false),
        Step::Record(doubt) => record(app, origin.clone(), doubt).await.map(|()| true),
        Step::Check => {
            // Of a batch not every denial is looked at further.
            let step_up = taken.decided.step_up.is_some();
            // On its own: a second opinion is to share nothing with the first.
            let ask = Ask { step_up, facts: SharedFacts::default(), ..ask() };
            match check(app, taken, ask).await? {
                Some(doubt) => record(app, origin.clone(), doubt).await.map(|()| true),
                None => Ok(false),
            }
        }
    }
}

async fn check(
    app: &App,
    taken: &Taken<'_>,
    ask: Ask,
) -> Result<Option<PolicyIndexDoubted>, Problem> {
    let running = Running { check: Arc::clone(&app.cross_check), begun: Instant::now() };
    let (world, now, decided) = (Arc::clone(taken.world), taken.now, taken.decided.clone());
    let metrics = Arc::clone(&app.metrics);
    let work = move || {
        let found = on_large_stack(|| doubt(&world, &ask, now, &decided))?;
        metrics.cross_checked(found.is_some());
        running.check.turn().found.clone_from(&found);
        Ok::<_, Fault>(found)
    };
    body::blocking(work).await?.map_err(|fault| Problem::defect(&fault))
}

async fn record(app: &App, origin: Origin, doubt: PolicyIndexDoubted) -> Result<(), Problem> {
    let policies: Vec<_> = doubt.differing.iter().map(ToString::to_string).collect();
    tracing::error!(?policies, "the index of policies differs from Cedar's authorizer");
    let decide = move |world: &World, _| {
        // Another evaluation may have found or recorded the same meanwhile.
        let news = world.index_doubts.current().is_none();
        Ok::<_, Problem>(news.then_some(Event::PolicyIndexDoubted(doubt)).into_iter().collect())
    };
    app.sequencer.commit(origin, Expected::default(), decide).await?;
    app.cross_check.turn().found = None;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tempfile::TempDir;

    use super::super::fixture;
    use super::*;
    use crate::event::{PoliciesActivated, Presented, Verdict, decode};
    use crate::model::{AccessRequest, Index, PolicyId, SetKind};
    use crate::pdp::decide;
    use crate::projection::Compiled;

    #[test]
    fn one_evaluation_in_so_many_is_due_and_no_other_meanwhile() {
        let (check, now) = (CrossCheck::one_in(3), Instant::now());
        let is_due = |check: &CrossCheck, now| check.step(now) == Step::Check;
        let due: Vec<_> = (0..8).map(|_| is_due(&check, now)).collect();
        assert_eq!(due, [false, false, true, false, false, false, false, false]);
        check.done(now, Duration::from_millis(2));
        assert!(!is_due(&check, now + Duration::from_millis(99)));
        assert!(is_due(&check, now + Duration::from_millis(100)));
        assert!((0..100).all(|_| !is_due(&CrossCheck::one_in(0), now)));
    }

    const SCHEMA: &str = "entity User; entity Document;
        action view appliesTo { principal: [User], resource: [Document] };";
    const POLICIES: &str = "@id(\"all\") permit (principal, action, resource);
        @id(\"not-eve\") forbid (principal == User::\"eve\", action, resource);";

    /// A node that checks every evaluation.
    async fn node(data: &TempDir) -> App {
        fixture::app(data, &["cross_check.every=1"], (SCHEMA, POLICIES)).await
    }

    /// Puts the policies in force once more, with an index that lacks one of them.
    async fn break_index(app: &App, missing: &PolicyId) {
        let world = app.sequencer.world();
        let Some(Ok(Compiled { schema, policies })) = world.application.compiled() else {
            panic!("nothing in force")
        };
        let broken = policies.with_faulty_index(missing);
        let broken = Compiled { schema: schema.clone(), policies: broken };
        world.artefacts().keep(policies.digest(), broken);
        let in_force = world.application.in_force().unwrap();
        let again = PoliciesActivated {
            set: SetKind::Application,
            publication: uuid::Uuid::from_u128(1),
            version: in_force.version.next(),
            digest: in_force.digest,
            count: 2,
            message: crate::model::Label::default(),
        };
        let again = move |_: &World, _| Ok::<_, ()>(vec![Event::PoliciesActivated(again)]);
        app.sequencer.commit(Origin::node(), Expected::default(), again).await.unwrap();
    }

    fn eve() -> Ask {
        let body = json!({
            "subject": {"type": "User", "id": "eve"},
            "action": {"name": "view"},
            "resource": {"type": "Document", "id": "1"},
        });
        Ask::access(AccessRequest::from_json(&body).unwrap(), Presented::Nothing, "gateway")
    }

    /// Decides; the verdict, and whether it had to be taken again.
    async fn asked(app: &App) -> (Verdict, bool) {
        let world = app.sequencer.world();
        let now = app.sequencer.now(&world);
        let decided = decide(&world, &eve(), now);
        let taken = Taken { world: &world, now, decided: &decided };
        (decided.decision, differs(app, &Origin::node(), &taken, eve).await.unwrap())
    }

    #[actix_web::test]
    async fn what_was_found_is_not_forgotten_until_it_is_on_the_record() {
        let data = TempDir::new().unwrap();
        let app = node(&data).await;
        break_index(&app, &"not-eve".parse().unwrap()).await;
        let world = app.sequencer.world();
        let now = app.sequencer.now(&world);
        let decided = decide(&world, &eve(), now);
        let taken = Taken { world: &world, now, decided: &decided };
        assert_eq!(app.cross_check.step(Instant::now()), Step::Check);
        // Whoever asked has gone: the check was made, and nothing recorded.
        let found = check(&app, &taken, eve()).await.unwrap();
        assert!(found.is_some());
        assert_eq!(app.cross_check.step(Instant::now()), Step::Record(found.unwrap()));
        assert_eq!(asked(&app).await, (Verdict::Allow, true));
        assert!(app.sequencer.world().index_doubts.current().is_some());
        assert_eq!(asked(&app).await, (Verdict::Deny, false));
    }

    #[actix_web::test]
    async fn a_difference_is_on_the_record_before_the_answer_which_is_then_cedars() {
        let data = TempDir::new().unwrap();
        let app = node(&data).await;
        assert_eq!(asked(&app).await, (Verdict::Deny, false));
        break_index(&app, &"not-eve".parse().unwrap()).await;
        // Between two checks there is a rest, and no clock here to wait with.
        app.cross_check.done(Instant::now(), Duration::ZERO);
        assert_eq!(asked(&app).await, (Verdict::Allow, true));
        let newest = Index(app.sequencer.store().size() - 1);
        let entry = app.sequencer.store().read(newest, 1, usize::MAX).unwrap().remove(0).1;
        let Event::PolicyIndexDoubted(doubt) = decode(newest, &entry).unwrap().event else {
            panic!("no doubt on the record")
        };
        let differing: Vec<_> = doubt.differing.iter().map(PolicyId::as_str).collect();
        assert_eq!(differing, ["all", "not-eve"]);
        app.cross_check.done(Instant::now(), Duration::ZERO);
        assert_eq!(asked(&app).await, (Verdict::Deny, false));
        let metrics = app.metrics.render().unwrap();
        assert!(metrics.contains("cross_checks_total{result=\"differs\"} 1"), "{metrics}");
    }
}
