//! What the metrics hear of each request and each decision.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use super::pages::Away;
use super::routes::TEMPLATES;
use super::{App, Problem};
use crate::cedar;
use crate::event::{AccessDecided, Verdict};
use crate::projection::World;
use crate::telemetry::Effect;

/// Counts and times a request under its route's template.
///
/// # Errors
/// Those of the rest of the chain.
pub async fn measure(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let begun = Instant::now();
    let app = request.app_data::<web::Data<App>>().cloned();
    let answer = next.call(request).await?;
    if let Some(app) = app {
        let route = answer.request().match_pattern().and_then(|found| template(&found));
        let status = answer.status().as_u16();
        let (route, took) = (route.unwrap_or("unmatched"), begun.elapsed());
        app.metrics.request(route, status, took);
        tracing::debug!(route, status, ?took, "answered");
        let error = answer.response().error();
        let problem = error.and_then(|error| match error.as_error::<Away>() {
            Some(away) => away.problem(),
            None => error.as_error::<Problem>(),
        });
        if let Some(problem) = problem {
            app.metrics.problem(problem.code());
        }
    }
    Ok(answer)
}

fn template(found: &str) -> Option<&'static str> {
    TEMPLATES.into_iter().find(|known| *known == found)
}

/// Counts a recorded decision and the policies that erred in it. A `forbid` that
/// errs is reason for an alarm, whatever the setting makes of it.
pub fn decided(app: &App, world: &World, decided: &AccessDecided) {
    let allowed = decided.decision == Verdict::Allow;
    app.metrics.decision(allowed, decided.set);
    if let Some(shadow) = &decided.shadow {
        app.metrics.shadow(allowed, shadow.decision == Verdict::Allow);
    }
    if decided.errors.is_empty() {
        return;
    }
    let Some(Ok(compiled)) = world.set(decided.set).compiled() else { return };
    for failure in &decided.errors {
        match compiled.policies.effect(&failure.policy) {
            Some(cedar::Effect::Forbid) => {
                // The entry has the message; it may name persons, and this line must not.
                tracing::warn!(policy = %failure.policy, "a forbid could not be evaluated");
                app.metrics.policy_error(Effect::Forbid);
            }
            _ => app.metrics.policy_error(Effect::Permit),
        }
    }
}
