//! The script of a quarter: who asks what and when, and how they sign in before. It is
//! drawn whole before anything is done; what comes of it the policies of the day decide.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::calendar::{Dice, Quarter};
use super::habits::{self, Habit, Shown};
use crate::model::{AccessRequest, Action, EntityAsked, Moment};

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) struct Act {
    pub(super) at: Moment,
    pub(super) what: What,
}

/// What happens.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// The identity provider verifies a password, and a session begins.
    Password(Visit),
    /// It verifies a code too.
    Code(Visit),
    /// An application asks.
    Ask {
        /// May they?
        request: Arc<AccessRequest>,
        /// The session that comes with it.
        visit: Option<Visit>,
    },
}

/// A session at the identity provider, from 0; whose it is, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Visit {
    pub(super) number: u64,
    pub(super) who: &'static str,
}

/// A session ends an hour after its last use; who has paused for almost as long signs in
/// again.
const PAUSE_MAX_S: u64 = 55 * 60;
/// A session of two factors ends twelve hours after it began.
const VISIT_MAX_S: u64 = 11 * 3_600;
/// Administration wants a code of the last fifteen minutes; who is told so types another.
const CODE_AGE_MAX_S: u64 = 14 * 60;
/// What is done at least so often, however short the history.
const TIMES_MIN: u64 = 3;

/// Draws what happens in a quarter with about so many questions, in the order of time.
pub(super) fn draw(quarter: Quarter, questions: u64, seed: u64) -> Vec<Act> {
    let mut dice = Dice::new(seed);
    let all: u64 = habits::all().map(|habit| habit.weight).sum();
    let mut wishes = Vec::new();
    for habit in habits::all() {
        let parties = habit.who.len() as u64;
        let times = (questions * habit.weight / all).max(TIMES_MIN).max(parties);
        // In turn, so that whoever is used to something does it in the shortest history too.
        for who in habit.who.iter().cycle().take(usize::try_from(times).unwrap_or(usize::MAX)) {
            wishes.push((quarter.draw(habit.hours, habit.days, &mut dice), *who, habit));
        }
    }
    wishes.sort_by_key(|(at, ..)| *at);
    let mut stage = Stage::default();
    for (at, who, habit) in wishes {
        stage.play(at, who, habit, &mut dice);
    }
    stage.acts.sort_by_key(|act| act.at);
    stage.acts
}

/// Who has which session open while the script is drawn.
#[derive(Default)]
struct Stage {
    acts: Vec<Act>,
    open: HashMap<&'static str, Open>,
    visits: u64,
}

#[derive(Clone, Copy)]
struct Open {
    visit: Visit,
    begun: Moment,
    used: Moment,
    code: Option<Moment>,
}

impl Stage {
    fn play(&mut self, at: Moment, who: &'static str, habit: &Habit, dice: &mut Dice) {
        let drawn = (dice.one_of(habit.actions), dice.one_of(habit.what));
        let (Some(action), Some(what)) = drawn else { return };
        let request = Arc::new(request(habit, who, action, what));
        if habit.shown == Shown::Nothing {
            return self.add(at, What::Ask { request, visit: None });
        }
        let mut open = self.signed_in(who, at);
        let visit = Some(open.visit);
        let strong = match habit.shown {
            Shown::FreshFactors => open.code.is_some_and(|code| age(code, at) < CODE_AGE_MAX_S),
            Shown::TwoFactors => open.code.is_some(),
            Shown::Password | Shown::Nothing => true,
        };
        let mut at = at;
        if !strong {
            // Most applications know what is wanted; one in four asks and is told.
            if dice.below(4) == 0 {
                self.add(at, What::Ask { request: Arc::clone(&request), visit });
                at = at.plus_seconds(15);
            }
            self.add(at, What::Code(open.visit));
            open.code = Some(at);
            at = at.plus_seconds(5);
        }
        open.used = at;
        self.open.insert(who, open);
        self.add(at, What::Ask { request, visit });
    }

    /// Somebody's session, which begins now unless one is open.
    fn signed_in(&mut self, who: &'static str, at: Moment) -> Open {
        let fits =
            |open: &&Open| age(open.used, at) < PAUSE_MAX_S && age(open.begun, at) < VISIT_MAX_S;
        if let Some(open) = self.open.get(who).filter(fits) {
            return *open;
        }
        let visit = Visit { number: self.visits, who };
        self.visits += 1;
        let begun = at.minus_seconds(20);
        self.add(begun, What::Password(visit));
        Open { visit, begun, used: at, code: None }
    }

    fn add(&mut self, at: Moment, what: What) {
        self.acts.push(Act { at, what });
    }
}

fn age(of: Moment, at: Moment) -> u64 {
    at.seconds_since(of)
}

fn request(habit: &Habit, who: &str, action: &str, what: &str) -> AccessRequest {
    let entity = |kind: &str, id: &str| EntityAsked {
        kind: kind.to_owned(),
        id: id.to_owned(),
        properties: Map::new(),
    };
    let mut subject = entity(habit.kind, who);
    if habit.shown == Shown::FreshFactors {
        let healthy = Value::String("healthy".to_owned());
        subject.properties.insert("device_posture".to_owned(), healthy);
    }
    AccessRequest {
        subject,
        action: Action { name: action.to_owned(), properties: Map::new() },
        resource: entity(habit.on, what),
        context: Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(questions: u64) -> Vec<Act> {
        draw(Quarter::until("2026-11-01T00:00:00Z".parse().unwrap()), questions, 7)
    }

    #[test]
    fn the_script_is_in_the_order_of_time_and_has_about_as_many_questions_as_wanted() {
        let acts = drawn(5_000);
        assert!(acts.is_sorted_by_key(|act| act.at));
        let asked = acts.iter().filter(|act| matches!(act.what, What::Ask { .. })).count();
        assert!((4_900..5_300).contains(&asked), "{asked}");
    }

    /// Goal: nobody asks in a session that has not begun.
    #[test]
    fn a_session_begins_before_it_is_shown() {
        let mut begun = std::collections::HashSet::new();
        for act in drawn(2_000) {
            match act.what {
                What::Password(visit) => assert!(begun.insert(visit.number)),
                What::Code(visit) | What::Ask { visit: Some(visit), .. } => {
                    assert!(begun.contains(&visit.number), "{visit:?}");
                }
                What::Ask { visit: None, .. } => {}
            }
        }
        assert!(begun.len() > 50);
    }

    #[test]
    fn however_short_the_history_everybody_does_what_they_are_used_to() {
        let acts = drawn(10);
        let asks = |name: &str| {
            acts.iter().any(
                |act| matches!(&act.what, What::Ask { request, .. } if request.subject.id == name),
            )
        };
        for name in ["omar", "pat", "dave", "erin", "mallory", "zoe", "backup-runner"] {
            assert!(asks(name), "{name}");
        }
    }
}
