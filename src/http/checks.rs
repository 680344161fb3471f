//! `POST /policies/v1/check`: what would be wrong with policies, and whether their tests
//! hold.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::Value;

use super::guard::{DraftPolicies, Guarded};
use super::long_work::LongWork;
use super::policies::PolicyFile;
use super::{App, Problem, body};
use crate::cedar::{Limits, on_large_stack};
use crate::checks::{Given, Suite, Which, examine};
use crate::model::PolicySource;
use crate::sequencer::Authority;

/// The most tests that one call runs.
const TESTS_MAX: usize = 10_000;
/// How long a check may take.
pub(super) const CHECK_MAX: Duration = Duration::from_secs(60);

/// A policy set as a publication has it, and its tests.
#[derive(Deserialize)]
struct Draft {
    #[serde(default)]
    files: Vec<PolicyFile>,
    #[serde(default)]
    policies: Vec<PolicySource>,
    schema: Option<String>,
    #[serde(default)]
    suites: Vec<Suite>,
    entities: Option<Value>,
    #[serde(default)]
    which: Which,
}

/// Checks a whole policy set against what is in force: its schema, if none is sent with it,
/// and its directory. Nothing changes. What is found wrong is no error of the call.
///
/// # Errors
/// [`Problem`]: 422 `too_many_tests` for more than 10,000 tests, `too_long` if they take more
/// than a minute; 503 while enough others are being checked.
pub async fn check(
    may: Guarded<DraftPolicies>,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (node, authority) = (app.clone(), may.authority());
    let checked = body::checked(&app, async move {
        let draft = body::typed(body::publication(&node, &request, payload).await?)?;
        examined(&node, authority, draft).await
    });
    checked.await?
}

async fn examined(
    app: &web::Data<App>,
    authority: Authority,
    draft: Draft,
) -> Result<HttpResponse, Problem> {
    if draft.suites.iter().map(Suite::len).sum::<usize>() > TESTS_MAX {
        let detail = format!("one call runs at most {TESTS_MAX} tests: send several");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "too_many_tests", detail));
    }
    let Draft { files, policies, schema, suites, entities, which } = draft;
    let files = files.into_iter().map(PolicyFile::into_named).collect();
    let given = Given { files, policies, schema, suites, entities };
    let (world, limits) = (app.sequencer.world(), Limits::default());
    let long = LongWork::new(app, authority, CHECK_MAX);
    let go_on = long.go_on();
    let work = move || on_large_stack(|| examine(&world, given, which, &limits, &go_on));
    let report = body::blocking(work).await?;
    long.whole()?;
    Ok(HttpResponse::Ok().json(report.map_err(|fault| Problem::defect(&fault))?))
}
