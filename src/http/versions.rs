//! `/versions/v1`: the versions of the application policies, from draft to retirement.

use actix_web::{FromRequest as _, HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::checks::CHECK_MAX;
use super::guard::{
    ApprovePolicies, DraftPolicies, Guarded, Permission, PublishPolicies, PublishSchema,
    ReadPolicies,
};
use super::long_work::LongWork;
use super::policies::{PolicyFile, placed, sources};
use super::{App, Problem, body};
use crate::cedar::Fault;
use crate::checks::Suite;
use crate::model::{Digest, GoOn, Label, PolicySource, Version};
use crate::node::{self, Command};
use crate::pap::{self, NewVersion, Step, VersionShown, VersionWhole, VersionsShown};
use crate::projection::World;
use crate::sequencer::{Authority, Committed};

/// A version as an author sends it: the whole set, as files or as single policies.
#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    files: Vec<PolicyFile>,
    #[serde(default)]
    policies: Vec<PolicySource>,
    #[serde(default)]
    schema: Option<String>,
    #[serde(default)]
    suites: Vec<Suite>,
    #[serde(default)]
    message: Label,
    #[serde(default)]
    expected_version: Option<Version>,
}

/// Why a step is taken, and for going back, to which version.
#[derive(Default, Deserialize)]
struct Taken {
    #[serde(default)]
    reason: Label,
    #[serde(default)]
    to: Option<String>,
}

/// Lists the versions that are known, the latest to have moved first.
pub async fn list(_may: Guarded<ReadPolicies>, app: web::Data<App>) -> HttpResponse {
    HttpResponse::Ok().json(VersionsShown::of(&app.sequencer.world()))
}

/// Shows one version and all that it consists of.
///
/// # Errors
/// 404 `version_unknown`; 422 `version_ambiguous`.
pub async fn show(
    _may: Guarded<ReadPolicies>,
    app: web::Data<App>,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let world = app.sequencer.world();
    Ok(HttpResponse::Ok().json(VersionWhole::of(pap::version_named(&world, &path)?)))
}

/// Writes a version down. What it lacks of policies is withdrawn in it; a schema that is
/// left out is the one in force.
///
/// # Errors
/// [`Problem`]: 422 with each fault, 409 `unchanged`, 409 `version_exists`.
pub async fn draft(
    may: Guarded<DraftPolicies>,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (command, node) = (command(&may, may.authority(), &request), app.clone());
    let drafted = body::checked(&app, async move {
        let (new, files, _) = sent(&node, &request, payload).await?;
        let drafted = node::draft(&node.sequencer, &*node.entropy, command, new).await;
        Ok::<_, Problem>(drafted.map_err(|error| placed(error, &files))?)
    });
    let (recorded, digest) = drafted.await??;
    told(&recorded, digest, &[])
}

/// Writes a version down, checks it and puts it in force, in one batch.
///
/// # Errors
/// [`Problem`]: 422 with each fault, 409 `unchanged`, 409 `version_conflict`, 403
/// `approval_required`.
pub async fn apply(
    may: Guarded<PublishPolicies>,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let node = app.clone();
    let applied = body::admitted(&app, async move {
        let (new, files, expected) = sent(&node, &request, payload).await?;
        let schema = new.schema.as_ref().map(Digest::of);
        let authority = publishing(&may, schema, &node, &request).await?;
        let (command, long) = looked_after(&node, command(&may, authority, &request));
        let (sequencer, entropy) = (&node.sequencer, &*node.entropy);
        let applied = node::apply(sequencer, entropy, command, new, expected).await;
        if applied.is_err() {
            long.whole()?;
        }
        Ok::<_, Problem>(applied.map_err(|error| placed(error, &files))?)
    });
    let (recorded, digest) = applied.await??;
    told(&recorded, digest, &[])
}

/// Compiles a version and holds it against the directory.
///
/// # Errors
/// [`Problem`]: 422 with each fault; 409 `wrong_stage`.
pub async fn check(
    may: Guarded<DraftPolicies>,
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let authority = may.authority();
    taken(&may, authority, (app, request, payload), Step::Check, path.into_inner()).await
}

/// Has a version decided by beside the one in force, without effect.
///
/// # Errors
/// [`Problem`]: 409 `wrong_stage`, 409 `another_staged`.
pub async fn stage(
    may: Guarded<DraftPolicies>,
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let authority = may.authority();
    taken(&may, authority, (app, request, payload), Step::Stage, path.into_inner()).await
}

/// No longer has it decided by.
///
/// # Errors
/// [`Problem`]: 409 `wrong_stage`.
pub async fn unstage(
    may: Guarded<DraftPolicies>,
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let authority = may.authority();
    taken(&may, authority, (app, request, payload), Step::Unstage, path.into_inner()).await
}

/// Says that a version may come in force, as it is.
///
/// # Errors
/// [`Problem`]: 403 `approver_is_author`, 403 `approver_is_no_person`, 409.
pub async fn approve(
    may: Guarded<ApprovePolicies>,
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let authority = may.authority();
    taken(&may, authority, (app, request, payload), Step::Approve, path.into_inner()).await
}

/// Puts a version in force. One with another schema takes the permission to publish
/// schemas as well.
///
/// # Errors
/// [`Problem`]: 409 `base_moved`, 403 `approval_required`, 422 with each fault.
pub async fn activate(
    may: Guarded<PublishPolicies>,
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    // What is permitted and what is done are one version, whatever is drafted meanwhile.
    let digest = pap::version_named(&app.sequencer.world(), &path)?.digest.to_string();
    let schema = schema_of(&app, &digest)?;
    let authority = publishing(&may, Some(schema), &app, &request).await?;
    taken(&may, authority, (app, request, payload), Step::Activate, digest).await
}

/// Puts a version in force again: the one named, or the one before the present one.
///
/// # Errors
/// [`Problem`]: 409 `nothing_before`, 409 `wrong_stage`, 422 with each fault.
pub async fn roll_back(
    may: Guarded<PublishPolicies>,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let Taken { reason, to } = body::typed(body::json(&app, &request, payload).await?)?;
    let world = app.sequencer.world();
    let digest = pap::version_before(&world, to.as_deref())?.digest;
    let name = digest.to_string();
    let schema = schema_of(&app, &name)?;
    let authority = publishing(&may, Some(schema), &app, &request).await?;
    let command = command(&may, authority, &request);
    stepped(app, command, Step::RollBack, name, reason).await
}

/// What a request is made of, besides its guard.
type Parts = (web::Data<App>, HttpRequest, web::Payload);

async fn taken<P: Permission>(
    may: &Guarded<P>,
    authority: Authority,
    (app, request, payload): Parts,
    step: Step,
    name: String,
) -> Result<HttpResponse, Problem> {
    let Taken { reason, .. } = body::typed(body::json(&app, &request, payload).await?)?;
    stepped(app, command(may, authority, &request), step, name, reason).await
}

async fn stepped(
    app: web::Data<App>,
    command: Command,
    step: Step,
    name: String,
    reason: Label,
) -> Result<HttpResponse, Problem> {
    let node = app.clone();
    let (command, long) = looked_after(&app, command);
    let work =
        async move { node::take_step(&node.sequencer, command, step, Some(name), reason).await };
    // What compiles is admitted like a publication if it may become one.
    let done = match step {
        Step::RollBack => body::in_turn(&app, work).await?,
        Step::Check | Step::Stage => body::checked(&app, work).await?,
        _ if step.compiles() => body::admitted(&app, work).await?,
        _ => work.await,
    };
    if done.is_err() {
        long.whole()?;
    }
    let (recorded, digest, warnings) = done?;
    told(&recorded, digest, &warnings)
}

fn command<P: Permission>(
    may: &Guarded<P>,
    authority: Authority,
    request: &HttpRequest,
) -> Command {
    let (origin, presented) = (may.caller.origin(request), may.caller.presented());
    Command { origin, authority: Some(authority), presented, go_on: GoOn::ALWAYS }
}

/// The same, with an eye on how long its tests take.
fn looked_after(app: &web::Data<App>, command: Command) -> (Command, LongWork) {
    let authority = command.authority.clone().unwrap_or_else(|| Authority::new(|_, _| true));
    let long = LongWork::new(app, authority, CHECK_MAX);
    (Command { go_on: long.go_on(), ..command }, long)
}

/// The permission to publish policies; and schemas, if what comes in force has another than
/// what is.
async fn publishing(
    may: &Guarded<PublishPolicies>,
    schema: Option<Digest>,
    app: &App,
    request: &HttpRequest,
) -> Result<Authority, Problem> {
    let other = move |world: &World| {
        let present = world.application.schema().map(|(_, it)| it.digest);
        schema.is_some() && schema != present
    };
    if other(&app.sequencer.world()) {
        let both = Guarded::<PublishSchema>::extract(request).await?;
        return Ok(may.authority_and(&both));
    }
    let one = may.authority();
    Ok(Authority::new(move |world, now| one.holds(world, now) && !other(world)))
}

fn schema_of(app: &App, name: &str) -> Result<Digest, Problem> {
    let world = app.sequencer.world();
    Ok(pap::version_named(&world, name)?.content.schema_digest)
}

/// What an author sends: the version, its files, and the version it is to follow.
async fn sent(
    app: &App,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<(NewVersion, Vec<PolicyFile>, Option<Version>), Problem> {
    let sent: Sent = body::typed(body::publication(app, request, payload).await?)?;
    let Sent { files, policies, schema, suites, message, expected_version } = sent;
    let tests = Suite::text_of(&suites);
    let read = sources(files.clone(), policies).await?;
    let new = NewVersion { schema, policies: Some(read), tests, message };
    Ok((new, files, expected_version))
}

fn told(recorded: &Committed, digest: Digest, warnings: &[Fault]) -> Result<HttpResponse, Problem> {
    let version = pap::version_named(&recorded.world, &digest.to_string())?;
    let mut body = json!(VersionShown::after_step(version, &recorded.world));
    if let Value::Object(members) = &mut body
        && !warnings.is_empty()
    {
        members.insert("warnings".to_owned(), json!(warnings));
    }
    Ok(HttpResponse::Ok().json(body))
}
