//! What stands before every password: limits by network and for all, one attempt at a time
//! from each place, and one entry in the log a window for all that was turned away.
//!
//! None of it knows whether anybody has a name. It is in memory alone: what must survive a
//! restart is in the log and its World (see [`crate::authn::throttle`]).

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix_web::{HttpRequest, web};
use uuid::Uuid;

use super::{App, Problem, device, source};
use crate::authn::Refusal;
use crate::authn::throttle::Approach;
use crate::event::{AttemptsThrottled, Event};
use crate::model::{Digest, Moment, Username};
use crate::projection::World;
use crate::sequencer::{Expected, Origin};
use crate::settings::Limits;

/// How many networks are told apart; beyond it further ones are limited together with all.
const SOURCES_MAX: usize = 8_192;
/// How many names and how many networks a window tells apart.
const DISTINCT_MAX: usize = 1_024;
/// How long a window is, in seconds.
const WINDOW_S: u64 = 60;
/// How many seconds' worth may come at once.
const BURST_S: u64 = 10;

/// The door. One for a node.
pub struct Door {
    state: Mutex<State>,
    a_second: u64,
    a_minute_by_source: u64,
}

struct State {
    all: Allowance,
    sources: HashMap<Digest, Allowance>,
    swept_at: Option<Moment>,
    /// The buckets of the attempts under way.
    busy: HashSet<Digest>,
    window: Option<Window>,
}

/// What was turned away.
struct Window {
    from: Moment,
    to: Moment,
    count: u64,
    names: HashSet<Digest>,
    sources: HashSet<Digest>,
}

/// Where an attempt comes from, and whether its network is limited by itself.
pub struct Caller {
    /// Keyed hashes of it.
    pub from: Approach,
    limited: bool,
}

/// An attempt under way; another one from the same place may follow when it is dropped.
pub struct Turn {
    app: web::Data<App>,
    bucket: Digest,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.app.door.end_turn(&self.bucket);
    }
}

impl Door {
    pub(super) fn new(limits: &Limits) -> Self {
        let a_second = limits.logins_per_s as u64;
        let state = State {
            all: Allowance::default(),
            sources: HashMap::new(),
            swept_at: None,
            busy: HashSet::new(),
            window: None,
        };
        let a_minute_by_source = limits.logins_per_source as u64;
        Self { state: Mutex::new(state), a_second, a_minute_by_source }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Spends a network's allowance.
    fn source(&self, caller: &Caller, now: Moment) -> Result<(), Refusal> {
        if !caller.limited {
            return Ok(());
        }
        let rate =
            Rate { tokens: self.a_minute_by_source, per_s: 60, most: self.a_minute_by_source };
        let mut state = self.lock();
        let known = state.sources.contains_key(&caller.from.source);
        if !known && !state.make_room(now) {
            return Ok(());
        }
        state.sources.entry(caller.from.source).or_default().spend(now, &rate)
    }

    /// Takes a turn, once nothing else speaks against the attempt.
    fn take_turn(&self, bucket: Digest, now: Moment) -> Result<(), Refusal> {
        let rate = Rate { tokens: self.a_second, per_s: 1, most: self.a_second * BURST_S };
        let mut state = self.lock();
        if state.busy.contains(&bucket) {
            return Err(Refusal::Throttled { retry_after_s: 1 });
        }
        state.all.spend(now, &rate)?;
        state.busy.insert(bucket);
        Ok(())
    }

    fn end_turn(&self, bucket: &Digest) {
        self.lock().busy.remove(bucket);
    }

    fn turned_away(&self, from: &Approach, now: Moment) {
        let mut state = self.lock();
        let window = state.window.get_or_insert_with(|| Window::new(now));
        window.to = window.to.max(now);
        window.count += 1;
        for (seen, one) in [(&mut window.names, from.name_tag), (&mut window.sources, from.source)]
        {
            if seen.len() < DISTINCT_MAX {
                seen.insert(one);
            }
        }
    }

    /// The window, if it is so old.
    fn closed(&self, now: Moment, age_s: u64) -> Option<AttemptsThrottled> {
        let mut state = self.lock();
        let window = state.window.take_if(|it| now.seconds_since(it.from) >= age_s)?;
        Some(AttemptsThrottled {
            from: window.from,
            to: window.to,
            count: window.count,
            names: window.names.len() as u64,
            sources: window.sources.len() as u64,
        })
    }
}

impl State {
    /// Forgets the networks that have been quiet, at most once a second; false if there is
    /// no room even so.
    fn make_room(&mut self, now: Moment) -> bool {
        if self.sources.len() < SOURCES_MAX {
            return true;
        }
        if self.swept_at.is_none_or(|at| now.seconds_since(at) >= 1) {
            self.swept_at = Some(now);
            self.sources.retain(|_, allowance| !allowance.is_whole(now));
        }
        self.sources.len() < SOURCES_MAX
    }
}

impl Window {
    fn new(now: Moment) -> Self {
        let (names, sources) = (HashSet::new(), HashSet::new());
        Self { from: now, to: now, count: 0, names, sources }
    }
}

/// How fast an allowance comes back, and how much of it there may be.
struct Rate {
    tokens: u64,
    per_s: u64,
    most: u64,
}

impl Rate {
    /// The microseconds in which one token comes back.
    fn micros(&self) -> i64 {
        let micros = self.per_s * 1_000_000 / self.tokens.max(1);
        i64::try_from(micros).unwrap_or(i64::MAX).max(1)
    }
}

/// A token bucket, by the moment at which it will be whole again (the generic cell rate
/// algorithm): no memory of the past but that.
#[derive(Clone, Copy, Default)]
struct Allowance {
    whole_at: Option<Moment>,
}

impl Allowance {
    /// Takes one token, or says when there is one.
    fn spend(&mut self, now: Moment, rate: &Rate) -> Result<(), Refusal> {
        let whole_at = self.whole_at.unwrap_or(now).max(now).micros() + rate.micros();
        let most = i64::try_from(rate.most).unwrap_or(i64::MAX).saturating_mul(rate.micros());
        let excess = whole_at - now.micros() - most;
        if excess > 0 {
            let retry_after_s = u64::try_from(excess).unwrap_or_default().div_ceil(1_000_000);
            return Err(Refusal::Throttled { retry_after_s });
        }
        self.whole_at = Some(Moment::from_micros(whole_at));
        Ok(())
    }

    fn is_whole(&self, now: Moment) -> bool {
        self.whole_at.is_none_or(|at| at <= now)
    }
}

/// Who stands at the door. Whoever comes from this machine is not limited by network: if
/// there is a proxy on it that is not named in the settings, he is everybody.
pub fn caller(app: &App, request: &HttpRequest, typed: &str, name: Option<&Username>) -> Caller {
    let name_tag = app.vault.name_tag(typed);
    let address = source::address(request, &app.settings);
    let network = address.map(source::network).unwrap_or_default();
    let passwords = passwords_of(app, name);
    Caller {
        from: Approach {
            name_tag,
            source: app.vault.source_tag(&network),
            device: device::known(app, request, &name_tag, &passwords),
        },
        limited: address.is_none_or(|address| !address.is_loopback()),
    }
}

/// The ids of a person's password: its own, and the one before it was hashed anew.
pub fn passwords_of(app: &App, name: Option<&Username>) -> Vec<Uuid> {
    let world = app.sequencer.world();
    let person = name.and_then(|name| world.identities.get(name));
    let password = person.and_then(|person| person.password.as_ref());
    password.map(|password| password.ids().collect()).unwrap_or_default()
}

/// Begins an attempt: limits first, then `begin`, then a turn. Nothing is hashed before.
///
/// # Errors
/// 429 `throttled`, the same whoever is asked for; what `begin` refuses.
pub fn enter<T>(
    app: &web::Data<App>,
    caller: &Caller,
    begin: impl FnOnce(&World, Moment) -> Result<T, Refusal>,
) -> Result<(T, Turn), Refusal> {
    let world = app.sequencer.world();
    let now = app.sequencer.now(&world);
    app.door.source(caller, now)?;
    let begun = begin(&world, now)?;
    let bucket = caller.from.own_bucket();
    app.door.take_turn(bucket, now)?;
    Ok((begun, Turn { app: app.clone(), bucket }))
}

/// Counts an attempt that was turned away, and records the window that is over, if one is:
/// to be called with how each attempt ended.
pub async fn leave<T>(
    app: &web::Data<App>,
    caller: &Caller,
    ended: Result<T, Problem>,
) -> Result<T, Problem> {
    let now = app.clock.now();
    if ended.as_ref().is_err_and(|problem| problem.code() == "throttled") {
        app.door.turned_away(&caller.from, now);
    }
    if let Some(summary) = app.door.closed(now, WINDOW_S) {
        record(app, summary).await;
    }
    ended
}

/// Records what was turned away since the last window, however young this one is: the
/// server has ended.
pub async fn close(app: &App) {
    if let Some(summary) = app.door.closed(app.clock.now(), 0) {
        record(app, summary).await;
    }
}

async fn record(app: &App, summary: AttemptsThrottled) {
    let decide = move |_: &World, _| Ok::<_, Refusal>(vec![Event::AttemptsThrottled(summary)]);
    let recorded = app.sequencer.commit(Origin::node(), Expected::default(), decide).await;
    if let Err(error) = recorded {
        tracing::warn!(%error, "a summary of attempts turned away was not recorded");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Moment {
        Moment::from_micros(1_000_000_000 + micros)
    }

    const SECOND: i64 = 1_000_000;

    #[test]
    fn an_allowance_is_spent_at_once_and_comes_back_one_by_one() {
        let rate = Rate { tokens: 2, per_s: 1, most: 3 };
        let mut allowance = Allowance::default();
        for _ in 0..3 {
            assert_eq!(allowance.spend(at(0), &rate), Ok(()));
        }
        let wait = Err(Refusal::Throttled { retry_after_s: 1 });
        assert_eq!(allowance.spend(at(0), &rate), wait);
        assert_eq!(allowance.spend(at(SECOND / 2 - 1), &rate), wait);
        assert_eq!(allowance.spend(at(SECOND / 2), &rate), Ok(()));
        assert_eq!(allowance.spend(at(SECOND / 2), &rate), wait);
        assert!(!allowance.is_whole(at(SECOND)));
        assert!(allowance.is_whole(at(2 * SECOND)));
    }

    fn door() -> Door {
        let state = State {
            all: Allowance::default(),
            sources: HashMap::new(),
            swept_at: None,
            busy: HashSet::new(),
            window: None,
        };
        Door { state: Mutex::new(state), a_second: 100, a_minute_by_source: 2 }
    }

    fn stranger(name: u32, source: u32, limited: bool) -> Caller {
        let of = |number: u32| Digest::of(number.to_be_bytes());
        Caller { from: Approach { name_tag: of(name), source: of(source), device: None }, limited }
    }

    #[test]
    fn one_network_spends_its_own_allowance_whatever_names_it_tries() {
        let door = door();
        for name in 0..2 {
            assert_eq!(door.source(&stranger(name, 1, true), at(0)), Ok(()));
        }
        let refused = door.source(&stranger(2, 1, true), at(0));
        assert_eq!(refused, Err(Refusal::Throttled { retry_after_s: 30 }));
        assert_eq!(door.source(&stranger(2, 2, true), at(0)), Ok(()));
        assert_eq!(door.source(&stranger(2, 1, false), at(0)), Ok(()));
        assert_eq!(door.source(&stranger(2, 1, true), at(30 * SECOND)), Ok(()));
    }

    /// Goal: however many networks an attacker has, the table of them stays as it is.
    #[test]
    fn the_table_of_networks_is_bounded() {
        let door = door();
        for source in 0..10_000 {
            assert_eq!(door.source(&stranger(0, source, true), at(0)), Ok(()));
        }
        assert_eq!(door.lock().sources.len(), SOURCES_MAX);
        assert_eq!(door.source(&stranger(0, 20_000, true), at(60 * SECOND)), Ok(()));
        assert_eq!(door.lock().sources.len(), 1, "the quiet ones are forgotten");
    }

    /// Goal: of many at once from one place one is hashed, whether anybody has the name or
    /// not; nobody keeps another place out.
    #[test]
    fn one_attempt_at_a_time_is_under_way_from_one_place() {
        let door = door();
        let [one, other] = [1, 2].map(|source| stranger(7, source, true).from.own_bucket());
        assert_eq!(door.take_turn(one, at(0)), Ok(()));
        assert_eq!(door.take_turn(one, at(0)), Err(Refusal::Throttled { retry_after_s: 1 }));
        assert_eq!(door.take_turn(other, at(0)), Ok(()));
        door.end_turn(&one);
        assert_eq!(door.take_turn(one, at(0)), Ok(()));
    }

    /// Goal: an attacker can neither grow the log nor the memory.
    #[test]
    fn what_is_turned_away_is_summed_up_once_a_window() {
        let door = door();
        for number in 0..3_000 {
            door.turned_away(&stranger(number, number % 7, true).from, at(number.into()));
        }
        assert_eq!(door.closed(at(59 * SECOND), WINDOW_S), None);
        let summary = AttemptsThrottled {
            from: at(0),
            to: at(2_999),
            count: 3_000,
            names: DISTINCT_MAX as u64,
            sources: 7,
        };
        assert_eq!(door.closed(at(60 * SECOND), WINDOW_S), Some(summary));
        assert_eq!(door.closed(at(120 * SECOND), WINDOW_S), None);
    }
}
