//! `/audit/v1/…/explain`: why something was decided, or would be.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{FromRequest as _, HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::audit::decided;
use super::guard::{DraftPolicies, Guarded, ReadAudit};
use super::past::{Lookback, in_world, looking, turn};
use super::policies::{PolicyFile, placed, sources};
use super::shown::{InHeader, Shown};
use super::{App, Problem, body};
use crate::audit::{At, Explained};
use crate::cedar::{Limits, on_large_stack};
use crate::event::StepUp;
use crate::model::{AccessRequest, Index, Label, PolicySource, SetKind};
use crate::node::NodeError;
use crate::pap::{self, Draft};
use crate::pdp::Ask;
use crate::projection::World;

/// A draft to be asked in place of what is in force: as in `PUT /policies/v1`, with the
/// schema as in `PUT /schema/v1`. What is absent stays as it is.
#[derive(Default, Deserialize)]
struct Drafted {
    #[serde(default)]
    files: Option<Vec<PolicyFile>>,
    #[serde(default)]
    policies: Option<Vec<PolicySource>>,
    #[serde(default)]
    schema: Option<String>,
    /// True to ask what was staged then.
    #[serde(default)]
    staged: bool,
}

/// What is asked in place of what is in force.
enum Supposed {
    /// A draft that has been read, and the files it was read from.
    Draft(Draft, Vec<PolicyFile>),
    /// What was staged then.
    Staged,
}

impl Drafted {
    /// What it comes to. A draft takes the permission to draft policies besides: a condition
    /// of one's own asks for any value, and the answer tells it, be it one that is sealed in
    /// the log.
    ///
    /// # Errors
    /// 403 for who may not draft; 422 with each fault of what is not Cedar.
    async fn read(self, request: &HttpRequest) -> Result<Option<Supposed>, Problem> {
        let Self { files, policies, schema, staged } = self;
        let some = files.is_some() || policies.is_some() || schema.is_some();
        match (staged, some) {
            (true, true) => {
                let both = "staged: a draft was given as well";
                return Err(Problem::bad("bad_request", both));
            }
            (true, false) => return Ok(Some(Supposed::Staged)),
            (false, _) => {}
        }
        if !some {
            return Ok(None);
        }
        let _may = Guarded::<DraftPolicies>::extract(request).await?;
        let some = files.is_some() || policies.is_some();
        let files = files.unwrap_or_default();
        let all = sources(files.clone(), policies.unwrap_or_default()).await?;
        let draft = Draft {
            set: SetKind::Application,
            schema,
            policies: some.then_some(all),
            message: Label::default(),
        };
        Ok(Some(Supposed::Draft(draft, files)))
    }
}

impl Supposed {
    /// The World with the draft in it. Compiles, so call it on a large stack.
    ///
    /// # Errors
    /// 422 with each fault, at its place.
    fn within(supposed: Option<Self>, world: World) -> Result<World, Problem> {
        let (draft, files) = match supposed {
            None => return Ok(world),
            Some(Self::Draft(draft, files)) => (draft, files),
            Some(Self::Staged) => return supposing_staged(&world),
        };
        let compiled = pap::supposed(&world, &draft, &Limits::default());
        let set = compiled.map_err(|refusal| placed(NodeError::Policies(refusal), &files))?;
        Ok(world.without_staged().supposing(set))
    }
}

fn supposing_staged(world: &World) -> Result<World, Problem> {
    let none = || Problem::new(StatusCode::CONFLICT, "nothing_staged", "nothing was staged then");
    let staged = world.staged().cloned().ok_or_else(none)?;
    Ok(world.without_staged().supposing(staged))
}

/// `POST /audit/v1/decisions/{id}/explain`: why a recorded decision was taken, in the
/// World as it was then. A body is not needed; a draft in it, or `"staged": true`, is asked
/// in place of the policies then in force.
///
/// # Errors
/// [`Problem`]: 403 for a draft of who may not draft policies; 404 if the log holds no such
/// decision; 409 if nothing was staged; 422 for a
/// draft that cannot be; 503 while another past is being looked at.
pub async fn decision(
    _may: Guarded<ReadAudit>,
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<Uuid>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let node = app.clone();
    let read = async move {
        let said = body::publication_if_any(&node, &request, payload).await?;
        let drafted: Drafted = said.map(body::typed).transpose()?.unwrap_or_default();
        drafted.read(&request).await
    };
    let (one_at_a_time, supposed) = body::holding(turn(&app)?, read).await?;
    let (id, newest) = (path.into_inner(), app.sequencer.world());
    let (store, look) = (Arc::clone(app.sequencer.store()), Lookback::of(&app));
    let work = move || {
        // Held until the work is done: who hangs up does not make room for another.
        let _held = one_at_a_time;
        let missing = || Problem::not_found("the log holds no decision of that id");
        let (mut entry, _) = decided(&*store, &newest, id)?;
        look.sealer.open_event(&mut entry.event)?;
        let before = Index(entry.index.0.checked_sub(1).ok_or_else(missing)?);
        let explain = || {
            let world = look.world_after(&*store, before)?;
            let draft = supposed.is_some();
            let world = Supposed::within(supposed, world)?;
            Explained::recorded(&world, &entry, &newest.erasures, draft).ok_or_else(missing)
        };
        on_large_stack(explain).map_err(|fault| Problem::defect(&fault))?
    };
    Ok(told(&body::blocking(work).await??))
}

/// A question that might be asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    /// What a PEP would send.
    request: Value,
    /// As of when; now, if it is not given.
    #[serde(default)]
    at: Option<String>,
    /// The id of the session presented.
    #[serde(default)]
    session: Option<Uuid>,
    /// Who is said to ask; the auditor, if it is not given.
    #[serde(default)]
    pep: Option<Label>,
    #[serde(default)]
    files: Option<Vec<PolicyFile>>,
    #[serde(default)]
    policies: Option<Vec<PolicySource>>,
    #[serde(default)]
    schema: Option<String>,
    #[serde(default)]
    staged: bool,
}

/// The same, with each of its parts read.
struct Considered {
    access: AccessRequest,
    token: Option<Shown>,
    session: Option<Uuid>,
    pep: Option<Label>,
    at: Option<At>,
    supposed: Option<Supposed>,
}

impl Considered {
    /// # Errors
    /// 400 for a part that is wrong; those of [`Drafted::read`].
    async fn read(said: Question, request: &HttpRequest) -> Result<Self, Problem> {
        let Question { request: asked, at, session, pep, files, policies, schema, staged } = said;
        let mut access = AccessRequest::from_json(&asked)?;
        let token = InHeader::of(request).or_in(&mut access)?;
        if token.is_some() && session.is_some() {
            return Err(Problem::bad("bad_request", "session: a session token was given as well"));
        }
        access.takes_supported(StepUp::OBLIGATION);
        let at = at.map(|at| at.parse()).transpose()?;
        let supposed = Drafted { files, policies, schema, staged }.read(request).await?;
        Ok(Self { access, token, session, pep, at, supposed })
    }
}

/// `POST /audit/v1/explain`: why an access would be allowed or denied, now or as of then,
/// by the policies in force or by a draft. Nothing of it is recorded but that the auditor
/// asked.
///
/// # Errors
/// [`Problem`]: 400 for a question that is none; 403 for a draft of who may not draft
/// policies; 409 if nothing was staged; 422 for a draft that cannot be; 503 while another
/// past is being looked at.
pub async fn question(
    may: Guarded<ReadAudit>,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let node = app.clone();
    let read = async move {
        let said = body::typed(body::publication(&node, &request, payload).await?)?;
        Considered::read(said, &request).await
    };
    let (turn, considered) = body::holding(turn(&app)?, read).await?;
    let Considered { access, token, session, pep, at, supposed } = considered;
    let pep = pep.map_or_else(|| may.caller.name(), |pep| pep.to_string());
    let now = app.clock.now();
    let at = at.unwrap_or(At::Time(now));
    let erasures = app.sequencer.world().erasures.clone();
    let explained = looking(turn, &app, at, move |past| {
        let time = at.time(past.written, now)?;
        let ask = Ask::access(access, in_world(&past.world, token, session), pep);
        let draft = supposed.is_some();
        let world = Supposed::within(supposed, past.world)?;
        Ok(Explained::supposed(&world, past.index, &ask, time, &erasures, draft))
    });
    Ok(told(&explained.await?))
}

fn told(explained: &Explained) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(explained)
}
