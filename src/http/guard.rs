//! The guard is in the handler's type: a handler that takes `Guarded<ReadAudit>`
//! runs only for a caller whom the system policies allow to read the log, and
//! that decision is in the log before the handler begins.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use super::caller::{self, Caller};
use super::{App, Problem, observe};
use crate::event::{AccessDecided, Actor, Event, Verdict};
use crate::pdp::{Administration, administrative, decide, decide_on, may_not};
use crate::projection::World;
use crate::sequencer::{Authority, CommitError, Expected, Origin};

/// What a handler's caller must be allowed to do.
pub trait Permission: 'static {
    /// Which question the system policies are asked.
    const WHAT: Administration;
    /// Whether a service's permission is recorded each time, or only its refusal:
    /// what comes at the rate of the applications' requests would fill the log.
    const RECORDED: bool;
}

macro_rules! permissions {
    ($($name:ident: $what:ident, recorded: $recorded:literal;)*) => {
        $(
            #[doc = concat!("Permission for [`Administration::", stringify!($what), "`].")]
            pub struct $name;
            impl Permission for $name {
                const WHAT: Administration = Administration::$what;
                const RECORDED: bool = $recorded;
            }
        )*
    };
}

permissions! {
    Evaluate: Evaluate, recorded: false;
    Ingest: Ingest, recorded: false;
    Scrape: ReadAudit, recorded: false;
    ReadTiles: ReadAudit, recorded: false;
    ReadAudit: ReadAudit, recorded: true;
    ReadPolicies: ReadPolicies, recorded: true;
    DraftPolicies: DraftPolicies, recorded: true;
    ApprovePolicies: ApprovePolicies, recorded: true;
    PublishPolicies: PublishPolicies, recorded: true;
    PublishSchema: PublishSchema, recorded: true;
    ChangeDirectory: ChangeDirectory, recorded: true;
    ManageUsers: ManageUsers, recorded: true;
    Erase: Erase, recorded: true;
    ManageTokens: ManageTokens, recorded: true;
    ManageKeys: ManageKeys, recorded: true;
}

/// A caller who may do `P`.
pub struct Guarded<P> {
    /// Who.
    pub caller: Caller,
    permission: PhantomData<P>,
}

impl<P: Permission> Guarded<P> {
    /// The permission, to be held against the World in which the command is decided. Cheap:
    /// each evaluation takes one along, and next to none is ever asked.
    pub fn authority(&self) -> Authority {
        let (actor, presented) = (self.caller.actor(), self.caller.presented());
        Authority::new(move |world, now| {
            let ask = administrative(&actor, P::WHAT, presented);
            let there = match &actor {
                Actor::Service(id) => world.services.get(id).is_some(),
                _ => true,
            };
            there && decide(world, &ask, now).decision == Verdict::Allow
        })
    }

    /// The permission together with another.
    pub fn authority_and<Q: Permission>(&self, other: &Guarded<Q>) -> Authority {
        let (one, other) = (self.authority(), other.authority());
        Authority::new(move |world, now| one.holds(world, now) && other.holds(world, now))
    }

    /// What a command on this permission relies on.
    pub fn expected(&self) -> Expected {
        self.authority().into()
    }
}

impl<P: Permission> FromRequest for Guarded<P> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let app = caller::app(&request)?;
            let caller = Caller::of(&request, &app, &app.sequencer.world())?;
            let origin = caller.origin(&request);
            permit::<P>(&app, &caller, origin).await?;
            Ok(Self { caller, permission: PhantomData })
        })
    }
}

/// Asks the system policies, and records the answer.
///
/// # Errors
/// 403 if they say no; 429 `throttled`, without an entry, if they have said so too often; 503
/// if it cannot be recorded.
async fn permit<P: Permission>(app: &App, caller: &Caller, origin: Origin) -> Result<(), Problem> {
    let world = app.sequencer.world();
    let what = P::WHAT;
    if let (false, Caller::Service(service)) = (P::RECORDED, caller)
        && app.traffic.allows(&world, service.id, what)
    {
        return Ok(());
    }
    let ask = administrative(&caller.actor(), what, caller.presented());
    let now = app.sequencer.now(&world);
    let (taken, rests_on) = decide_on(&world, &ask, now);
    // Who is refused adds to the log only so fast, and takes nothing of the queue that is
    // kept for who may administer.
    if taken.decision == Verdict::Deny {
        if !app.sequencer.has_room() {
            return Err(Problem::overloaded());
        }
        app.pace.refusal(caller, now)?;
    }
    let retake = move |world: &_, now| {
        Ok::<_, Problem>(vec![Event::AccessDecided(Box::new(decide(world, &ask, now)))])
    };
    let taken = (vec![Event::AccessDecided(taken)], rests_on);
    let recorded = app.sequencer.record(origin, (&world, now), taken, retake).await;
    let recorded = recorded.map_err(|error: CommitError<Problem>| Problem::from(error))?;
    let decided = recorded.entries.iter().find_map(|entry| match &entry.event {
        Event::AccessDecided(decided) => Some(decided),
        _ => None,
    });
    if let Some(decided) = decided {
        observe::decided(app, &recorded.world, decided);
    }
    match decided {
        Some(decided) if decided.decision == Verdict::Allow => Ok(()),
        Some(decided) => Err(refused(&recorded.world, what, decided)),
        None => Err(Problem::defect(&"a decision was not recorded")),
    }
}

fn refused(world: &World, what: Administration, decided: &AccessDecided) -> Problem {
    Problem::forbidden(may_not(world, what, decided))
        .with("determining", serde_json::json!(decided.determining))
}
