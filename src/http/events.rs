//! `POST /events/v1`: an identity provider reports its own authentication events.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::caller::Caller;
use super::guard::{Guarded, Ingest};
use super::{App, Problem, body};
use crate::authn::{self, Report};
use crate::entropy::uuid_v7;
use crate::event::Event;
use crate::event_store::IdempotencyKey;
use crate::sequencer::{Expected, Key};

/// Records one `CloudEvent`, or each of an array; each is idempotent by its source
/// and id.
///
/// # Errors
/// [`Problem`]; of an array, each event has its own.
pub async fn report(
    guarded: Guarded<Ingest>,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let body = body::json(&app, &request, payload).await?;
    let Value::Array(events) = body else {
        return Ok(HttpResponse::Ok()
            .json(one(&app, &guarded.caller, &request, &body, guarded.expected()).await?));
    };
    let most = app.settings.limits.batch_items;
    if events.len() > most {
        let detail = format!("a request has at most {most} events");
        return Err(Problem::bad("too_many_events", detail));
    }
    let mut answers = Vec::with_capacity(events.len());
    for event in &events {
        let id = event.get("id").cloned().unwrap_or(Value::Null);
        answers.push(match one(&app, &guarded.caller, &request, event, guarded.expected()).await {
            Ok(answer) => answer,
            Err(problem) => {
                json!({"id": id, "error": {"code": problem.code(), "detail": problem.detail()}})
            }
        });
    }
    Ok(HttpResponse::Ok().json(json!({"events": answers})))
}

async fn one(
    app: &App,
    caller: &Caller,
    request: &HttpRequest,
    event: &Value,
    expected: Expected,
) -> Result<Value, Problem> {
    let Caller::Service(service) = caller else {
        return Err(Problem::forbidden("events are reported with a service token"));
    };
    let binding = service.binding.as_ref().ok_or(authn::Refusal::BindingRequired)?;
    let fresh = uuid_v7(&*app.entropy, app.clock.now())?;
    let report = Report::from_cloud_event(event, app.clock.now(), fresh)
        .map_err(|error| Problem::bad(error.code(), error.to_string()))?;
    let (content, id) = (report.content, report.id.clone());
    let key = Key {
        name: IdempotencyKey::of(&binding.source, &id),
        answers: |event| matches!(event, Event::AuthenticationReported(_)),
    };
    let expected = Expected { key: Some(key), ..expected };
    let service = service.id;
    let decide = move |world: &_, now| authn::report(world, service, &report, now);
    let recorded = app.sequencer.commit(caller.origin(request), expected, decide).await?;
    let known = recorded.entries.iter().find_map(|entry| match &entry.event {
        Event::AuthenticationReported(known) => Some((entry.index, known.content)),
        _ => None,
    });
    match known {
        Some((index, known)) if known == content => {
            Ok(json!({"id": id, "index": index, "repeated": recorded.repeated}))
        }
        Some(_) => {
            let detail = format!("event `{id}` has been reported before with another content");
            Err(Problem::new(StatusCode::CONFLICT, "id_reused", detail))
        }
        None => Err(Problem::defect(&"a report was not recorded")),
    }
}
