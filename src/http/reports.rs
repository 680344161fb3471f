//! `/audit/v1/reports`: what policies, directory and log come to.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;

use super::audit::{first_since, forward, pairs};
use super::guard::{DraftPolicies, Guarded, ReadAudit};
use super::long_work::LongWork;
use super::past::{Lookback, Past, looking, turn};
use super::policies::{PolicyFile, sources};
use super::{App, Problem, body};
use crate::audit::{
    Assurance, At, BlastRadius, Bounds, Ground, NoMatrix, NoRadius, Segments, Since, Then,
};
use crate::event::Envelope;
use crate::event_store::EventStore;
use crate::model::{Index, Label, Moment, PolicySource, SetKind, Uid};
use crate::node::NodeError;
use crate::pap::Draft;
use crate::sequencer::Authority;

/// How long a report may take.
pub(super) const REPORT_MAX: Duration = Duration::from_secs(600);
/// How far back is looked, if nothing is said.
const SINCE: Since = Since::Ago(90 * 86_400);

/// `GET /audit/v1/reports/segments?at=&since=&compare=`: which segment reaches which, as of
/// then, and what was used of it since. Costs a decision for each pair of a principal and a
/// resource (at most 100,000 of them), and a look at each entry of the window.
///
/// # Errors
/// [`Problem`]: 400 for a parameter; 409 `no_matrix` if there are no segments; 422 `too_long`
/// if it takes more than ten minutes; 503 while another past is being looked at, or if the
/// server ends.
pub async fn segments(
    may: Guarded<ReadAudit>,
    app: web::Data<App>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    of_segments(app, may.authority(), &request, None).await
}

/// `POST` to the same: with a draft in place of what was in force, and what it would change.
/// The body is that of `PUT /policies/v1` or `PUT /schema/v1`; nothing is published. Takes the
/// permission to draft policies too: a condition of one's own asks for any value.
///
/// # Errors
/// As [`segments`]; 422 with each of the draft's faults.
pub async fn segments_of_draft(
    may: Guarded<ReadAudit>,
    drafts: Guarded<DraftPolicies>,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let draft = draft(&app, &request, payload).await?;
    of_segments(app, may.authority_and(&drafts), &request, Some(draft)).await
}

async fn of_segments(
    app: web::Data<App>,
    authority: Authority,
    request: &HttpRequest,
    drafted: Option<InTurn>,
) -> Result<HttpResponse, Problem> {
    let (asked, others) = Asked::of(pairs(request)?)?;
    if let Some((name, _)) = others.first() {
        let wrong = format!("`{name}`: the parameters are at, since and compare");
        return Err(Problem::bad("bad_query", wrong));
    }
    answer(&app, authority, &asked, drafted, move |ground, since, look| {
        Segments::survey(ground, since, Bounds::default(), look)
    })
    .await
}

/// `GET /audit/v1/reports/blast-radius?principal=&assurance=&hops=&at=&since=&compare=`: what
/// somebody could reach who has taken over a principal. `assurance` is what they can show
/// (`none`, `password`, `mfa`, `passkey`, `hardware`; a password if nothing is said), `hops`
/// how often they go on (3). Costs a decision for each who is taken over, action and entity.
///
/// # Errors
/// [`Problem`]: 400 for a parameter; 409 `no_blast_radius` if there is no such principal;
/// 422 `too_long` if it takes more than ten minutes; 503 while another past is being looked
/// at, or if the server ends.
pub async fn blast_radius(
    may: Guarded<ReadAudit>,
    app: web::Data<App>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    of_blast_radius(app, may.authority(), &request, None).await
}

/// `POST` to the same: with a draft in place of what was in force, for who may draft too.
///
/// # Errors
/// As [`blast_radius`]; 422 with each of the draft's faults.
pub async fn blast_radius_of_draft(
    may: Guarded<ReadAudit>,
    drafts: Guarded<DraftPolicies>,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let draft = draft(&app, &request, payload).await?;
    of_blast_radius(app, may.authority_and(&drafts), &request, Some(draft)).await
}

async fn of_blast_radius(
    app: web::Data<App>,
    authority: Authority,
    request: &HttpRequest,
    drafted: Option<InTurn>,
) -> Result<HttpResponse, Problem> {
    let (asked, others) = Asked::of(pairs(request)?)?;
    let bad = |name: &str, what: &dyn std::fmt::Display| {
        Problem::bad("bad_query", format!("`{name}`: {what}"))
    };
    let (mut principal, mut assurance, mut hops) = (None, Assurance::Password, 3);
    for (name, value) in others {
        match name.as_str() {
            "principal" => {
                let uid: Uid = value.parse().map_err(|error| bad("principal", &error))?;
                principal = Some(uid);
            }
            "assurance" => assurance = value.parse().map_err(|error| bad("assurance", &error))?,
            "hops" => hops = value.parse().map_err(|_| bad("hops", &"expected a number"))?,
            _ => {
                let known = "the parameters are principal, assurance, hops, at, since and compare";
                return Err(bad(&name, &known));
            }
        }
    }
    let principal = principal.ok_or_else(|| bad("principal", &"say who was taken over"))?;
    answer(&app, authority, &asked, drafted, move |ground, since, look| {
        BlastRadius::survey(ground, (&principal, assurance), hops, since, look)
    })
    .await
}

/// As of when a report is, what it looks through and what it is held against.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) at: Option<At>,
    pub(super) since: Since,
    pub(super) compare: Option<At>,
}

type Pairs = Vec<(String, String)>;

impl Asked {
    /// Takes these out of a query's parameters.
    ///
    /// # Errors
    /// 400 for one that is wrong or given twice.
    pub(super) fn of(pairs: Pairs) -> Result<(Self, Pairs), Problem> {
        let (mut at, mut since, mut compare, mut others) = (None, None, None, Pairs::new());
        for (name, value) in pairs {
            let twice = match name.as_str() {
                "at" => at.replace(value.parse()?).is_some(),
                "since" => since.replace(value.parse()?).is_some(),
                "compare" => compare.replace(value.parse()?).is_some(),
                _ if others.iter().any(|(other, _)| *other == name) => true,
                _ => {
                    others.push((name, value));
                    continue;
                }
            };
            if twice {
                let wrong = format!("`{name}`: given twice: give it once");
                return Err(Problem::bad("bad_query", wrong));
            }
        }
        Ok((Self { at, since: since.unwrap_or(SINCE), compare }, others))
    }
}

/// A draft to be supposed, as it would be published.
#[derive(Deserialize)]
struct Drafted {
    #[serde(default)]
    schema: Option<String>,
    #[serde(default)]
    files: Vec<PolicyFile>,
    #[serde(default)]
    policies: Vec<PolicySource>,
}

/// Reads a draft in the turn of the report that it is for.
async fn draft(
    app: &web::Data<App>,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<InTurn, Problem> {
    let (node, request) = (app.clone(), request.clone());
    let read = async move {
        let new: Drafted = body::typed(body::publication(&node, &request, payload).await?)?;
        let replaced = !(new.files.is_empty() && new.policies.is_empty());
        let policies = if replaced { Some(sources(new.files, new.policies).await?) } else { None };
        let (set, message) = (SetKind::Application, Label::default());
        Ok(Draft { set, schema: new.schema, policies, message })
    };
    body::holding(turn(app)?, read).await
}

/// A draft, and the turn that was taken before it was read.
type InTurn = (OwnedSemaphorePermit, Draft);

/// Shows each entry of a window to who looks at it.
type Look<'a> = Box<dyn FnOnce(&mut dyn FnMut(&Envelope)) -> Result<(), Problem> + 'a>;

/// Makes a report on the World as of then, and answers with it.
async fn answer<T: Serialize + Send + 'static>(
    app: &web::Data<App>,
    authority: Authority,
    asked: &Asked,
    drafted: Option<InTurn>,
    report: impl FnOnce(&Ground, Moment, Look<'_>) -> Result<T, Problem> + Send + 'static,
) -> Result<HttpResponse, Problem> {
    let (turn, draft) = match drafted {
        Some((turn, draft)) => (turn, Some(draft)),
        None => (turn(app)?, None),
    };
    let long = LongWork::new(app, authority, REPORT_MAX);
    let live = app.sequencer.world();
    let newest = At::Entry(live.through.unwrap_or(Index(0)));
    let (at, asked, now) = (asked.at.unwrap_or(newest), *asked, app.clock.now());
    let (store, back) = (Arc::clone(app.sequencer.store()), Lookback::of(app));
    let going = long.clone();
    let report = looking(turn, app, at, move |past| {
        let ground = Ground::new(past.world.clone(), then(at, &past, now)?);
        let mut ground = ground.heeding(going.go_on());
        if let Some(at) = asked.compare {
            let before = back.as_of(&*store, &live, at)?;
            let then = then(at, &before, now)?;
            ground = ground.compared(before.world, then);
        }
        if let Some(draft) = &draft {
            ground = ground.supposing(draft).map_err(NodeError::Policies)?;
        }
        let since = asked.since.moment(ground.as_of.time);
        let look = look(&*store, since, past.index, going);
        report(&ground, since, look)
    });
    let report = report.await;
    long.whole()?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(report?))
}

fn then(at: At, past: &Past, now: Moment) -> Result<Then, Problem> {
    Ok(Then { index: past.index, time: at.time(past.written, now)? })
}

/// The entries from a time up to an entry.
fn look(store: &dyn EventStore, since: Moment, last: Index, long: LongWork) -> Look<'_> {
    Box::new(move |see| {
        let end = last.next().0;
        let first = first_since(store, since, end)?;
        for shown in forward(store, first, end) {
            long.step()?;
            see(&shown?.0);
        }
        Ok(())
    })
}

impl From<NoMatrix> for Problem {
    fn from(error: NoMatrix) -> Self {
        Self::new(StatusCode::CONFLICT, "no_matrix", error.to_string())
    }
}

impl From<NoRadius> for Problem {
    fn from(error: NoRadius) -> Self {
        match error {
            NoRadius::Hops => Self::bad("bad_query", format!("`hops`: {error}")),
            _ => Self::new(StatusCode::CONFLICT, "no_blast_radius", error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::fixture;
    use super::*;

    /// Goal: no report is told to whoever may not have it by then, and none keeps a server.
    #[actix_web::test]
    async fn a_report_that_is_stopped_is_not_told() {
        let data = TempDir::new().unwrap();
        let set = (
            "entity User; entity Doc; action view appliesTo { principal: User, resource: Doc };",
            "@id(\"all\") permit (principal, action, resource);",
        );
        let app = web::Data::new(fixture::app(&data, &[], set).await);
        let asked = Asked::of(Pairs::new()).unwrap().0;
        let told = async |may: bool| {
            let authority = Authority::new(move |_, _| may);
            let report = |_: &Ground, _, look: Look<'_>| {
                look(&mut |_| {})?;
                Ok("a report")
            };
            answer(&app, authority, &asked, None, report).await.map(|it| it.status().as_u16())
        };
        assert_eq!(told(true).await.unwrap(), 200);
        assert_eq!(told(false).await.unwrap_err().code(), "forbidden");
        app.draining.begin();
        assert_eq!(told(true).await.unwrap_err().code(), "unavailable");
    }
}
