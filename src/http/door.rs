//! What stands before every password and every passkey: limits by network and for all, one
//! password at a time from each place, and one entry in the log a window for all that was
//! turned away.
//!
//! None of it knows whether anybody has a name. It is in memory alone: what must survive a
//! restart is in the log and its World (see [`crate::authn::throttle`]).

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix_web::{HttpRequest, web};
use uuid::Uuid;

use super::allowance::{Allowance, Rate, Sources};
use super::caller::stranger;
use super::{App, Problem, device, source};
use crate::authn::Refusal;
use crate::authn::throttle::Approach;
use crate::event::{AttemptsThrottled, Event, TicketRefused};
use crate::model::{Digest, Moment, Username};
use crate::projection::World;
use crate::sequencer::{Expected, Origin};
use crate::settings::Limits;

/// How many names and how many networks a window tells apart.
const DISTINCT_MAX: usize = 1_024;
/// How long a window is, in seconds.
const WINDOW_S: u64 = 60;
/// How many seconds' worth may come at once.
const BURST_S: u64 = 10;
/// How many requests a login by passkey is: for the options, and with the answer. An answer
/// wants a ticket, and a ticket wants options, so no more can be recorded than logins.
const PASSKEY_REQUESTS: u64 = 2;

/// The door. One for a node.
pub struct Door {
    state: Mutex<State>,
    a_second: u64,
}

struct State {
    /// Strangers' passwords.
    strangers: Allowance,
    /// Passwords from known devices, which strangers cannot use up.
    devices: Allowance,
    passwords: Sources,
    /// All passkeys: neither floods of passwords nor of these touch the others.
    all_passkeys: Allowance,
    passkeys: Sources,
    /// All tickets that were refused.
    all_tickets: Allowance,
    tickets: Sources,
    /// Where attempts are under way (see [`place`]).
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
    place: Digest,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.app.door.end_turn(&self.place);
    }
}

impl Door {
    pub(super) fn new(limits: &Limits) -> Self {
        Self::of(limits.logins_per_s as u64, limits.logins_per_source as u64)
    }

    fn of(a_second: u64, a_minute_by_source: u64) -> Self {
        let a_minute = |tokens| Sources::of(Rate { tokens, per_s: 60, most: tokens });
        let state = State {
            strangers: Allowance::default(),
            devices: Allowance::default(),
            passwords: a_minute(a_minute_by_source),
            all_passkeys: Allowance::default(),
            passkeys: a_minute(a_minute_by_source * PASSKEY_REQUESTS),
            all_tickets: Allowance::default(),
            tickets: a_minute(a_minute_by_source),
            busy: HashSet::new(),
            window: None,
        };
        Self { state: Mutex::new(state), a_second }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Spends a network's allowance of passwords.
    fn source(&self, caller: &Caller, now: Moment) -> Result<(), Refusal> {
        if !caller.limited {
            return Ok(());
        }
        self.lock().passwords.spend(caller.from.source, now)
    }

    /// Takes a turn, once nothing else speaks against the attempt.
    fn take_turn(&self, from: &Approach, now: Moment) -> Result<(), Refusal> {
        let (place, rate) = (place(from), all(self.a_second));
        let mut state = self.lock();
        if state.busy.contains(&place) {
            return Err(Refusal::Throttled { retry_after_s: 1 });
        }
        let is_known = from.device.is_some();
        let whose = if is_known { &mut state.devices } else { &mut state.strangers };
        whose.spend(now, &rate)?;
        state.busy.insert(place);
        Ok(())
    }

    /// Spends what a request of a login by passkey costs.
    fn passkey(&self, caller: &Caller, now: Moment) -> Result<(), Refusal> {
        let rate = all(self.a_second * PASSKEY_REQUESTS);
        let mut state = self.lock();
        if caller.limited {
            state.passkeys.spend(caller.from.source, now)?;
        }
        state.all_passkeys.spend(now, &rate)
    }

    /// Spends what the record of a refused ticket costs.
    fn ticket(&self, caller: &Caller, now: Moment) -> Result<(), Refusal> {
        let rate = all(self.a_second);
        let mut state = self.lock();
        if caller.limited {
            state.tickets.spend(caller.from.source, now)?;
        }
        state.all_tickets.spend(now, &rate)
    }

    /// Takes a turn that costs nothing else.
    fn begin_alone(&self, what: Digest) -> Result<(), Refusal> {
        let is_first = self.lock().busy.insert(what);
        is_first.then_some(()).ok_or(Refusal::Throttled { retry_after_s: 1 })
    }

    fn end_turn(&self, place: &Digest) {
        self.lock().busy.remove(place);
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

impl Window {
    fn new(now: Moment) -> Self {
        let (names, sources) = (HashSet::new(), HashSet::new());
        Self { from: now, to: now, count: 0, names, sources }
    }
}

/// What one attempt at a time comes from: a network that tries a name, or all the known
/// devices of an account together, or whoever has many would fill the room kept for all.
fn place(from: &Approach) -> Digest {
    if from.device.is_some() { from.name_tag } else { from.own_bucket() }
}

/// What all may ask for together.
const fn all(a_second: u64) -> Rate {
    Rate { tokens: a_second, per_s: 1, most: a_second * BURST_S }
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
    app.door.take_turn(&caller.from, now)?;
    Ok((begun, Turn { app: app.clone(), place: place(&caller.from) }))
}

/// Takes a turn for something that nobody is to do twice at a time, whoever and wherever,
/// such as to use an invitation: each hashes a password that waits among those who are known.
///
/// # Errors
/// 429 `throttled` while it is done.
pub fn alone(app: &web::Data<App>, what: Digest) -> Result<Turn, Refusal> {
    app.door.begin_alone(what)?;
    Ok(Turn { app: app.clone(), place: what })
}

/// Who logs in by passkey, under the name that was typed, if one was. No password speaks for
/// a device here.
pub fn passkey_caller(app: &App, request: &HttpRequest, typed: Option<&str>) -> Caller {
    caller(app, request, typed.unwrap_or_default(), None)
}

/// Lets a request of a login by passkey in, and records how it ended, as [`leave`] does.
/// Without limits a stranger would write an entry with every made-up answer.
///
/// # Errors
/// 429 `throttled`; those of `work`.
pub async fn by_passkey<T>(
    app: &web::Data<App>,
    caller: &Caller,
    work: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    let let_in = app.door.passkey(caller, app.sequencer.now(&app.sequencer.world()));
    let ended = match let_in {
        Ok(()) => work.await,
        Err(refusal) => Err(refusal.into()),
    };
    leave(app, caller, ended).await
}

/// Records that a ticket was refused, as fast as passwords may be; faster, it is counted
/// with what was turned away. A ticket that counts waits for nobody: it cannot be guessed.
///
/// # Errors
/// 503 if it cannot be recorded.
pub async fn refused_ticket(
    app: &web::Data<App>,
    request: &HttpRequest,
    ticket: Digest,
) -> Result<(), Problem> {
    let caller = caller(app, request, "", None);
    let ended = match app.door.ticket(&caller, app.sequencer.now(&app.sequencer.world())) {
        Ok(()) => {
            let refused = vec![Event::TicketRefused(TicketRefused { ticket })];
            let decide = move |_: &World, _| Ok::<_, Refusal>(refused);
            let origin = stranger(request);
            let recorded = app.sequencer.commit(origin, Expected::default(), decide).await;
            recorded.map(drop).map_err(Problem::from)
        }
        Err(refusal) => Err(refusal.into()),
    };
    match leave(app, &caller, ended).await {
        Err(problem) if problem.code() == "throttled" => Ok(()),
        ended => ended,
    }
}

/// Counts an attempt that was turned away, by password, passkey, code or recovery code, and
/// records the window that is over, if one is: to be called with how each attempt ended.
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

    fn door() -> Door {
        Door::of(100, 2)
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

    /// Goal: of many at once from one place one is hashed, whether anybody has the name or
    /// not; nobody keeps another place out.
    #[test]
    fn one_attempt_at_a_time_is_under_way_from_one_place() {
        let door = door();
        let [one, other] = [1, 2].map(|source| stranger(7, source, true).from);
        assert_eq!(door.take_turn(&one, at(0)), Ok(()));
        assert_eq!(door.take_turn(&one, at(0)), Err(Refusal::Throttled { retry_after_s: 1 }));
        assert_eq!(door.take_turn(&other, at(0)), Ok(()));
        door.end_turn(&place(&one));
        assert_eq!(door.take_turn(&one, at(0)), Ok(()));
    }

    /// Goal: however many networks there are, they shut nobody out of a device of theirs.
    #[test]
    fn strangers_do_not_use_up_what_known_devices_may() {
        let door = door();
        let many = (0..5_000).map(|number| stranger(number, number, true).from);
        let refused = many.filter(|from| door.take_turn(from, at(0)).is_err()).count();
        assert_eq!(refused, 4_000);
        let device = Some(Digest::of("device"));
        let own = Approach { device, ..stranger(1, 9_000, true).from };
        assert_eq!(door.take_turn(&own, at(0)), Ok(()));
    }

    /// Goal: nobody fills the room of known devices by having many.
    #[test]
    fn the_known_devices_of_an_account_take_turns() {
        let door = door();
        let known = |name, device: &str| Approach {
            device: Some(Digest::of(device)),
            ..stranger(name, 1, true).from
        };
        assert_eq!(door.take_turn(&known(1, "one"), at(0)), Ok(()));
        let waits = Err(Refusal::Throttled { retry_after_s: 1 });
        assert_eq!(door.take_turn(&known(1, "other"), at(0)), waits);
        assert_eq!(door.take_turn(&known(2, "one"), at(0)), Ok(()), "another's");
        assert_eq!(door.take_turn(&stranger(1, 1, true).from, at(0)), Ok(()), "a stranger");
        door.end_turn(&place(&known(1, "one")));
        assert_eq!(door.take_turn(&known(1, "other"), at(0)), Ok(()));
    }

    /// Goal: one invitation, used many times at once, does not fill the hasher's queue.
    #[test]
    fn an_invitation_is_used_once_at_a_time() {
        let (door, ticket) = (door(), Digest::of("ticket"));
        assert_eq!(door.begin_alone(ticket), Ok(()));
        let waits = Err(Refusal::Throttled { retry_after_s: 1 });
        assert_eq!(door.begin_alone(ticket), waits);
        assert_eq!(door.begin_alone(Digest::of("another")), Ok(()));
        door.end_turn(&ticket);
        assert_eq!(door.begin_alone(ticket), Ok(()));
    }

    /// Goal: passkeys are limited as passwords are, and neither uses up the other's.
    #[test]
    fn passkeys_and_passwords_have_allowances_of_their_own() {
        let door = door();
        let one = stranger(1, 1, true);
        for _ in 0..4 {
            assert_eq!(door.passkey(&one, at(0)), Ok(()));
        }
        let wait = Err(Refusal::Throttled { retry_after_s: 15 });
        assert_eq!(door.passkey(&one, at(0)), wait);
        assert_eq!(door.source(&one, at(0)), Ok(()));
        assert_eq!(door.passkey(&stranger(1, 2, true), at(0)), Ok(()));

        let here = stranger(1, 3, false);
        let let_in = (0..3_000).filter(|_| door.passkey(&here, at(0)).is_ok()).count();
        assert_eq!(let_in, 2_000 - 5, "all together");
        assert_eq!(door.take_turn(&one.from, at(0)), Ok(()));
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
