//! `POST /access/v1/evaluations`: Access Evaluations, `AuthZEN` 1.0 §7. All items
//! are decided in one World and committed as one batch.

use std::sync::{Arc, Mutex, PoisonError};

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::answer::{self, Answer};
use super::cross_check::{self, Taken};
use super::evaluation::{Asker, Asking, sealed, single};
use super::guard::{Evaluate, Guarded};
use super::shown::InHeader;
use super::{App, Problem, body, observe};
use crate::event::{Event, Verdict};
use crate::model::{Batch, Item, Moment, Semantic};
use crate::pdp::SharedFacts;
use crate::projection::{Footprint, World};
use crate::sequencer::Origin;

/// For how many denials of one batch a login that would help is looked for: each costs up
/// to twenty decisions, and the batch may be taken again by the writer.
const STEP_UPS_MAX: usize = 8;

/// Answers several questions. A step-up is looked for with the first few denials only.
///
/// # Errors
/// [`Problem`] for a fault of the whole body; a faulty item has its own answer.
pub async fn evaluate(
    pep: Guarded<Evaluate>,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let items_max = app.settings.limits.batch_items;
    let read = move |text: &[u8], limits| Batch::read(text, limits, items_max);
    match body::json_as(&app, &request, payload, read).await?? {
        Batch::Single(asked) => single(&app, &pep, &request, *asked).await,
        Batch::Many { items, semantic } => {
            if !app.sequencer.has_room() {
                return Err(Problem::overloaded());
            }
            let asker = Asker::new(&app, &pep, SharedFacts::of_a_batch());
            let shown = InHeader::of(&request);
            let askings = items.into_iter().map(|item| asking(&asker, &shown, item)).collect();
            let batch = Asked { asker, askings, semantic };
            many(&app, &pep, &request, batch).await
        }
    }
}

fn asking(asker: &Arc<Asker>, shown: &InHeader<'_>, item: Item) -> Result<Asking, String> {
    let mut asked = item.map_err(|error| error.to_string())?;
    let shown = shown.or_in(&mut asked).map_err(|error| error.to_string())?;
    Ok(Asking::new(asker, asked, shown))
}

async fn many(
    app: &App,
    pep: &Guarded<Evaluate>,
    request: &HttpRequest,
    batch: Asked,
) -> Result<HttpResponse, Problem> {
    let origin = pep.caller.origin(request);
    let mut world = app.sequencer.world();
    let mut now = app.sequencer.now(&world);
    let (mut events, mut rests_on, mut faults) = batch.take(&world, now);
    if batch.differs(app, &origin, (&world, now), &events, &faults).await? {
        world = app.sequencer.world();
        now = app.sequencer.now(&world);
        (events, rests_on, faults) = batch.take(&world, now);
    }
    let taken = (sealed(app, events).await?, rests_on);
    let sealer = app.sealer.clone();
    let faults = Arc::new(Mutex::new(faults));
    let latest = Arc::clone(&faults);
    // Kept until it is recorded, so that the writer is not the one to tidy it away.
    let batch = Arc::new(batch);
    let again = Arc::clone(&batch);
    let retake = move |world: &World, now| {
        again.asker.still_may(world, now)?;
        let (mut events, _, faults) = again.take(world, now);
        events.iter_mut().try_for_each(|event| sealer.seal_event(event))?;
        *latest.lock().unwrap_or_else(PoisonError::into_inner) = faults;
        Ok::<_, Problem>(events)
    };
    let recorded = app.sequencer.record(origin, (&world, now), taken, retake).await?;
    let mut decided = recorded.entries.iter().filter_map(|entry| answer::decided(entry));
    let faults = faults.lock().unwrap_or_else(PoisonError::into_inner);
    let mut items = Vec::with_capacity(faults.len());
    for fault in faults.iter() {
        items.push(match (fault, fault.is_none().then(|| decided.next()).flatten()) {
            (None, Some(one)) => {
                observe::decided(app, &recorded.world, one);
                Answer::to(one)
            }
            (None, None) => return Err(Problem::defect(&"a decision was not recorded")),
            (Some(message), _) => Answer::faulty(message),
        });
    }
    Ok(answer::recorded(&recorded.entries, &Answers { evaluations: items }))
}

#[derive(Serialize)]
struct Answers {
    evaluations: Vec<Answer>,
}

struct Asked {
    asker: Arc<Asker>,
    askings: Vec<Result<Asking, String>>,
    semantic: Semantic,
}

impl Asked {
    /// Whether an item whose turn it is comes out differently by Cedar's own authorizer.
    async fn differs(
        &self,
        app: &App,
        origin: &Origin,
        (world, now): (&Arc<World>, Moment),
        events: &[Event],
        faults: &[Option<String>],
    ) -> Result<bool, Problem> {
        let decided = self.askings.iter().zip(faults).filter(|(_, fault)| fault.is_none());
        let decided = decided.filter_map(|(asking, _)| asking.as_ref().ok()).zip(events);
        for (asking, event) in decided {
            let Event::AccessDecided(decided) = event else { continue };
            let taken = Taken { world, now, decided };
            if cross_check::differs(app, origin, &taken, || asking.ask(world)).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Decides item by item until the semantic says stop, and says what that rests on. Of
    /// the second list, one entry belongs to each answer: what was wrong with the item, or
    /// nothing.
    fn take(&self, world: &World, now: Moment) -> (Vec<Event>, Footprint, Vec<Option<String>>) {
        let (mut events, mut rests_on, mut faults) = (Vec::new(), Footprint::of(world), Vec::new());
        let mut searches = 0;
        for asking in &self.askings {
            let taken = match asking {
                Ok(asking) => {
                    let taken = asking.take(world, now, searches < STEP_UPS_MAX);
                    searches += usize::from(taken.as_ref().is_ok_and(|(event, _)| searched(event)));
                    taken.map_err(|problem| problem.detail().to_owned())
                }
                Err(message) => Err(message.clone()),
            };
            let verdict = taken.as_ref().map_or(Verdict::Deny, |(event, _)| verdict(event));
            match taken {
                Ok((event, on)) => {
                    rests_on.join(on);
                    events.push(event);
                    faults.push(None);
                }
                Err(message) => faults.push(Some(message)),
            }
            let ends = match self.semantic {
                Semantic::ExecuteAll => false,
                Semantic::DenyOnFirstDeny => verdict == Verdict::Deny,
                Semantic::PermitOnFirstPermit => verdict == Verdict::Allow,
            };
            if ends {
                break;
            }
        }
        (events, rests_on, faults)
    }
}

/// True if it was looked for a login that would help.
fn searched(event: &Event) -> bool {
    matches!(event, Event::AccessDecided(decided) if decided.step_up.is_some())
}

fn verdict(event: &Event) -> Verdict {
    match event {
        Event::AccessDecided(decided) => decided.decision,
        _ => Verdict::Deny,
    }
}
