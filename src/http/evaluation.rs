//! `POST /access/v1/evaluation`: Access Evaluation, `AuthZEN` 1.0 §6.

use std::io;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value};

use super::answer::{self, Answer};
use super::cross_check::{self, Taken};
use super::guard::{Evaluate, Guarded};
use super::shown::{InHeader, Shown};
use super::{App, Problem, body, observe};
use crate::event::{AccessDecided, Event, Presented, StepUp};
use crate::model::{AccessRequest, EntityAsked, Moment, Personal};
use crate::pdp::{Ask, SharedFacts, decide_on};
use crate::projection::{Footprint, World};
use crate::sequencer::Authority;

/// Answers one question.
///
/// # Errors
/// [`Problem`]: what is wrong with the call; a deny is an answer.
pub async fn evaluate(
    pep: Guarded<Evaluate>,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let asked = body::json_as(&app, &request, payload, AccessRequest::read).await??;
    single(&app, &pep, &request, asked).await
}

/// Answers one question that has been read.
///
/// # Errors
/// Those of [`evaluate`].
pub async fn single(
    app: &App,
    pep: &Guarded<Evaluate>,
    request: &HttpRequest,
    mut asked: AccessRequest,
) -> Result<HttpResponse, Problem> {
    if !app.sequencer.has_room() {
        return Err(Problem::overloaded());
    }
    let shown = InHeader::of(request).or_in(&mut asked)?;
    let asker = Asker::new(app, pep, SharedFacts::default());
    // Kept until it is recorded, so that the writer is not the one to tidy it away.
    let asking = Arc::new(Asking::new(&asker, asked, shown));
    let again = Arc::clone(&asking);
    let origin = pep.caller.origin(request);
    let mut world = app.sequencer.world();
    let mut now = app.sequencer.now(&world);
    let (mut decided, mut rests_on) = asking.decide(&world, now)?;
    let taken = Taken { world: &world, now, decided: &decided };
    if cross_check::differs(app, &origin, &taken, || asking.ask(&world)).await? {
        world = app.sequencer.world();
        now = app.sequencer.now(&world);
        (decided, rests_on) = asking.decide(&world, now)?;
    }
    let taken = sealed(app, vec![Event::AccessDecided(decided)]).await?;
    let sealer = app.sealer.clone();
    let retake = move |world: &World, now| {
        let mut event = again.retake(world, now)?;
        sealer.seal_event(&mut event)?;
        Ok::<_, Problem>(vec![event])
    };
    let recorded = app.sequencer.record(origin, (&world, now), (taken, rests_on), retake).await?;
    let decided = recorded.entries.first().and_then(|entry| answer::decided(entry));
    let decided = decided.ok_or_else(|| Problem::defect(&"a decision was not recorded"))?;
    observe::decided(app, &recorded.world, decided);
    Ok(answer::recorded(&recorded.entries, &Answer::to(decided)))
}

/// Seals what is personal in events. A subject's first key is written to the disk, on a
/// thread for such work.
///
/// # Errors
/// 500 if the vault cannot be used.
pub async fn sealed(app: &App, mut events: Vec<Event>) -> Result<Vec<Event>, Problem> {
    let sealer = app.sealer.clone();
    let mut personal = events.iter().flat_map(Event::personal);
    let ready = personal.all(|one| sealer.keys().is_at_hand(&one.of));
    let seal = move || {
        events.iter_mut().try_for_each(|event| sealer.seal_event(event))?;
        Ok(events)
    };
    if ready { seal() } else { body::blocking(seal).await? }
}

/// Who asks, and what all that is asked by one call has in common.
pub struct Asker {
    pep: String,
    authority: Authority,
    facts: SharedFacts,
    bytes_max: usize,
}

impl Asker {
    /// Who has the permission to ask.
    pub fn new(app: &App, pep: &Guarded<Evaluate>, facts: SharedFacts) -> Arc<Self> {
        let bytes_max = app.settings.limits.request_bytes;
        let (authority, pep) = (pep.authority(), pep.caller.name());
        Arc::new(Self { pep, authority, facts, bytes_max })
    }

    /// Holds the permission against the World in which the writer decides.
    ///
    /// # Errors
    /// 403 if it is gone by now.
    pub fn still_may(&self, world: &World, now: Moment) -> Result<(), Problem> {
        let gone = || Problem::forbidden("the permission was withdrawn meanwhile");
        self.authority.holds(world, now).then_some(()).ok_or_else(gone)
    }
}

/// One question on its way to a decision, complete enough to be asked again.
pub struct Asking {
    asker: Arc<Asker>,
    request: Arc<AccessRequest>,
    shown: Option<Shown>,
    step_up: bool,
}

impl Asking {
    /// Joins a request, the session token that came with it, and who asks.
    pub fn new(asker: &Arc<Asker>, mut request: AccessRequest, shown: Option<Shown>) -> Self {
        let step_up = request.takes_supported(StepUp::OBLIGATION);
        Self { asker: Arc::clone(asker), request: Arc::new(request), shown, step_up }
    }

    /// Decides in a World at a time, and says what that rests on. What is personal in the
    /// event is yet to be sealed.
    ///
    /// # Errors
    /// 400 if what would be recorded is too large.
    pub fn decide(
        &self,
        world: &World,
        now: Moment,
    ) -> Result<(Box<AccessDecided>, Footprint), Problem> {
        self.decided(world, now, true)
    }

    fn decided(
        &self,
        world: &World,
        now: Moment,
        may_search: bool,
    ) -> Result<(Box<AccessDecided>, Footprint), Problem> {
        let ask = self.ask(world);
        let ask = Ask { step_up: ask.step_up && may_search, ..ask };
        let (decided, rests_on) = decide_on(world, &ask, now);
        self.fits(&decided)?;
        Ok((decided, rests_on))
    }

    /// The question as the PDP takes it.
    pub fn ask(&self, world: &World) -> Ask {
        let presented = self.shown.map_or(Presented::Nothing, |shown| shown.in_world(world));
        let Asker { pep, facts, .. } = &*self.asker;
        let ask = Ask::access(Arc::clone(&self.request), presented, pep.clone());
        Ask { step_up: self.step_up, facts: facts.clone(), ..ask }
    }

    /// As [`Asking::decide`], as the event to be recorded; a login that would help is looked
    /// for only if `may_search`.
    ///
    /// # Errors
    /// Those of [`Asking::decide`].
    pub fn take(
        &self,
        world: &World,
        now: Moment,
        may_search: bool,
    ) -> Result<(Event, Footprint), Problem> {
        let (decided, rests_on) = self.decided(world, now, may_search)?;
        Ok((Event::AccessDecided(decided), rests_on))
    }

    /// Decides again at the writer, where the PEP's own permission may be gone by now.
    ///
    /// # Errors
    /// 403 if it is; those of [`Asking::take`].
    pub fn retake(&self, world: &World, now: Moment) -> Result<Event, Problem> {
        self.asker.still_may(world, now)?;
        Ok(self.take(world, now, true)?.0)
    }

    fn fits(&self, decided: &AccessDecided) -> Result<(), Problem> {
        let personal = decided.personal.iter().map(Personal::stored_bytes).sum::<usize>();
        let request = &decided.request;
        let bytes_max = self.asker.bytes_max;
        let fits = |bytes: usize| bytes.saturating_add(personal) <= bytes_max;
        if fits(at_most(request)) || fits(counted(request)) {
            return Ok(());
        }
        let detail = format!("the request is too large: at most {bytes_max} bytes count");
        Err(Problem::bad("request_too_large", detail))
    }
}

/// No fewer bytes than a request takes as JSON, and much cheaper to tell.
fn at_most(request: &AccessRequest) -> usize {
    /// What surrounds the four parts, more than rounded up.
    const AROUND: usize = 256;
    fn entity(it: &EntityAsked) -> usize {
        text(&it.kind) + text(&it.id) + members(&it.properties)
    }
    fn members(all: &Map<String, Value>) -> usize {
        all.iter().map(|(name, value)| text(name) + of(value)).sum()
    }
    /// Quotes, a separator, and six bytes for each that has to be escaped.
    fn text(text: &str) -> usize {
        text.len().saturating_mul(6).saturating_add(4)
    }
    fn of(value: &Value) -> usize {
        match value {
            // No number is longer.
            Value::Null | Value::Bool(_) | Value::Number(_) => 32,
            Value::String(it) => text(it),
            Value::Array(items) => items.iter().map(of).sum::<usize>() + 4,
            Value::Object(all) => members(all) + 4,
        }
    }
    let AccessRequest { subject, action, resource, context } = request;
    let action = text(&action.name) + members(&action.properties);
    entity(subject) + action + entity(resource) + members(context) + AROUND
}

/// How many bytes a request takes as JSON, without writing it down.
fn counted(request: &AccessRequest) -> usize {
    struct Counter(usize);
    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, request).map_or(usize::MAX / 2, |()| counter.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::Action;

    fn any_value() -> impl Strategy<Value = Value> {
        let plain = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(|number| json!(number)),
            any::<String>().prop_map(Value::from),
            "[\\x00-\\x1f\"\\\\]{0,9}".prop_map(Value::from),
        ];
        plain.prop_recursive(4, 24, 5, |inner| {
            let items = prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from);
            let named = prop::collection::vec((any::<String>(), inner), 0..5);
            prop_oneof![items, named.prop_map(|named| Value::Object(named.into_iter().collect()))]
        })
    }

    proptest! {
        /// Law: what is told cheaply is never too little.
        #[test]
        fn a_request_takes_no_more_bytes_than_is_told(
            texts in any::<[String; 5]>(),
            values in prop::collection::vec((any::<String>(), any_value()), 0..6),
        ) {
            let [kind, id, name, other_kind, other_id] = texts;
            let said: Map<_, _> = values.into_iter().collect();
            let request = AccessRequest {
                subject: EntityAsked { kind, id, properties: said.clone() },
                action: Action { name, properties: said.clone() },
                resource: EntityAsked { kind: other_kind, id: other_id, properties: Map::new() },
                context: said,
            };
            prop_assert!(at_most(&request) >= counted(&request));
        }
    }
}
