//! Every URL, on one page.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::web::{ServiceConfig, delete, get, patch, post, put, resource, route};
use actix_web::{Error, HttpResponse};

use super::{
    Problem, audit, authenticators, checks, enrol, entities, erasures, evaluation, evaluations,
    events, explain, health, impact, import, keys, least_privilege, log, login, metadata, mfa,
    pages, passkey_login, passkeys, password, past, policies, proof, recovery, reports, schema,
    session, sessions, shadow, tokens, users, versions, witness,
};

/// Every template below, for metrics (a path never becomes a label) and for tests.
pub const TEMPLATES: [&str; 88] = [
    "/access/v1/evaluation",
    "/access/v1/evaluations",
    "/.well-known/authzen-configuration",
    "/auth/v1/enrol",
    "/auth/v1/login",
    "/auth/v1/password",
    "/auth/v1/verify-mfa",
    "/auth/v1/setup-mfa",
    "/auth/v1/login/passkey/options",
    "/auth/v1/login/passkey",
    "/auth/v1/verify-passkey/options",
    "/auth/v1/verify-passkey",
    "/auth/v1/passkeys/options",
    "/auth/v1/passkeys",
    "/auth/v1/logout",
    "/auth/v1/session",
    "/auth/v1/sessions",
    "/auth/v1/sessions/{id}",
    "/auth/v1/sign-ins",
    "/auth/v1/authenticators",
    "/auth/v1/authenticators/{id}",
    "/auth/v1/recovery-codes",
    "/auth/v1/recover",
    "/events/v1",
    "/policies/v1",
    "/policies/v1/check",
    "/policies/v1/{policy}",
    "/schema/v1",
    "/versions/v1",
    "/versions/v1/rollback",
    "/versions/v1/shadow",
    "/versions/v1/{version}",
    "/versions/v1/{version}/check",
    "/versions/v1/{version}/stage",
    "/versions/v1/{version}/unstage",
    "/versions/v1/{version}/approve",
    "/versions/v1/{version}/activate",
    "/entities/v1",
    "/entities/v1/{type}/{id:.*}",
    "/users/v1",
    "/users/v1/import",
    "/users/v1/{name}/ticket",
    "/users/v1/{name}/re-enrol",
    "/users/v1/{name}/sessions",
    "/users/v1/{name}/sessions/{id}",
    "/users/v1/{name}/password-compromised",
    "/users/v1/{name}/disable",
    "/users/v1/{name}/erase",
    "/users/v1/{name}/roles/{role}",
    "/erasures/v1",
    "/tokens/v1",
    "/tokens/v1/{id}",
    "/audit/v1/events",
    "/audit/v1/entries",
    "/audit/v1/state",
    "/audit/v1/evaluation",
    "/audit/v1/impact",
    "/audit/v1/decisions/{id}",
    "/audit/v1/decisions/{id}/proof",
    "/audit/v1/decisions/{id}/explain",
    "/audit/v1/explain",
    "/audit/v1/reports/segments",
    "/audit/v1/reports/blast-radius",
    "/audit/v1/reports/least-privilege",
    "/log/v1/checkpoint",
    "/log/v1/tile/{path:.*}",
    "/log/v1/keys",
    "/log/v1/keys/{id}",
    "/log/v1/add-checkpoint",
    "/healthz",
    "/readyz",
    "/metrics",
    "/",
    "/sign-in",
    "/sign-in/code",
    "/sign-out",
    "/account",
    "/sign-in/recover",
    "/enrol",
    "/account/set-up",
    "/account/set-up/confirm",
    "/account/authenticators/{id}",
    "/account/authenticators/{id}/remove",
    "/account/password",
    "/account/recovery-codes",
    "/account/sessions/end-others",
    "/account/sessions/{id}/end",
    "/assets/{digest}/{file}",
];

/// Puts every resource at its URL. What is not listed does not exist; another
/// method than those listed is a 405.
pub fn routes(server: &mut ServiceConfig) {
    let at = resource::<&str>;
    server
        // Applications (PEPs): AuthZEN 1.0
        .service(at("/access/v1/evaluation").route(post().to(evaluation::evaluate)))
        .service(at("/access/v1/evaluations").route(post().to(evaluations::evaluate)))
        .service(at("/.well-known/authzen-configuration").route(get().to(metadata::metadata)))
        // Persons
        .service(at("/auth/v1/enrol").route(post().to(enrol::enrol)))
        .service(at("/auth/v1/login").route(post().to(login::log_in)))
        .service(at("/auth/v1/password").route(post().to(password::change)))
        .service(at("/auth/v1/verify-mfa").route(post().to(mfa::verify)))
        .service(at("/auth/v1/setup-mfa").route(post().to(mfa::set_up)))
        .service(at("/auth/v1/logout").route(post().to(session::log_out)))
        .service(at("/auth/v1/session").route(get().to(session::show)))
        .configure(of_oneself)
        .configure(of_passkeys)
        // Identity providers
        .service(at("/events/v1").route(post().to(events::report)))
        // Authors
        .service(
            at("/policies/v1").route(get().to(policies::list)).route(put().to(policies::replace)),
        )
        .service(at("/policies/v1/check").route(post().to(checks::check)))
        .service(at("/policies/v1/{policy}").route(get().to(policies::show)))
        .service(at("/schema/v1").route(get().to(schema::show)).route(put().to(schema::replace)))
        .service(
            at("/entities/v1").route(get().to(entities::list)).route(post().to(entities::alter)),
        )
        .service(at("/entities/v1/{type}/{id:.*}").route(get().to(entities::show)))
        .configure(of_versions)
        // Administrators
        .configure(of_users)
        .service(at("/tokens/v1").route(get().to(tokens::list)).route(post().to(tokens::create)))
        .service(at("/tokens/v1/{id}").route(delete().to(tokens::revoke)))
        // Auditors
        .service(at("/audit/v1/events").route(get().to(audit::events)))
        .service(at("/audit/v1/entries").route(get().to(audit::entries)))
        .service(at("/audit/v1/state").route(get().to(audit::state)))
        .service(at("/audit/v1/evaluation").route(post().to(past::evaluate)))
        .service(at("/audit/v1/impact").route(post().to(impact::weigh)))
        .service(at("/audit/v1/decisions/{id}").route(get().to(audit::decision)))
        .service(at("/audit/v1/decisions/{id}/proof").route(get().to(proof::decision)))
        .service(at("/audit/v1/decisions/{id}/explain").route(post().to(explain::decision)))
        .service(at("/audit/v1/explain").route(post().to(explain::question)))
        .configure(of_reports)
        .service(at("/log/v1/checkpoint").route(get().to(log::checkpoint)))
        .service(at("/log/v1/tile/{path:.*}").route(get().to(log::tile)))
        .service(at("/log/v1/keys").route(get().to(keys::list)).route(post().to(keys::adopt)))
        .service(at("/log/v1/keys/{id}").route(delete().to(keys::retire)))
        // Other logs
        .service(at("/log/v1/add-checkpoint").route(post().to(witness::add_checkpoint)))
        // Operators
        .service(at("/healthz").route(get().to(health::alive)))
        .service(at("/readyz").route(get().to(health::ready)))
        .service(at("/metrics").route(get().to(health::metrics)))
        .configure(of_pages)
        .default_service(route().to(nothing_here));
}

/// What policies, directory and log come to.
fn of_reports(server: &mut ServiceConfig) {
    let at = resource::<&str>;
    server
        .service(
            at("/audit/v1/reports/segments")
                .route(get().to(reports::segments))
                .route(post().to(reports::segments_of_draft)),
        )
        .service(
            at("/audit/v1/reports/blast-radius")
                .route(get().to(reports::blast_radius))
                .route(post().to(reports::blast_radius_of_draft)),
        )
        .service(at("/audit/v1/reports/least-privilege").route(get().to(least_privilege::report)));
}

/// What persons do about their own sessions and authenticators.
fn of_oneself(server: &mut ServiceConfig) {
    let at = resource::<&str>;
    server
        .service(
            at("/auth/v1/sessions")
                .route(get().to(sessions::list))
                .route(delete().to(sessions::end_others)),
        )
        .service(at("/auth/v1/sessions/{id}").route(delete().to(sessions::end)))
        .service(at("/auth/v1/sign-ins").route(get().to(sessions::sign_ins)))
        .service(at("/auth/v1/authenticators").route(get().to(authenticators::list)))
        .service(
            at("/auth/v1/authenticators/{id}")
                .route(patch().to(authenticators::rename))
                .route(delete().to(authenticators::remove)),
        )
        .service(at("/auth/v1/recovery-codes").route(post().to(recovery::issue)))
        .service(at("/auth/v1/recover").route(post().to(recovery::recover)));
}

/// What authors do about versions of the policies.
fn of_versions(server: &mut ServiceConfig) {
    let at = resource::<&str>;
    server
        .service(
            at("/versions/v1")
                .route(get().to(versions::list))
                .route(post().to(versions::draft))
                .route(put().to(versions::apply)),
        )
        .service(at("/versions/v1/rollback").route(post().to(versions::roll_back)))
        .service(at("/versions/v1/shadow").route(get().to(shadow::show)))
        .service(at("/versions/v1/{version}").route(get().to(versions::show)))
        .service(at("/versions/v1/{version}/check").route(post().to(versions::check)))
        .service(at("/versions/v1/{version}/stage").route(post().to(versions::stage)))
        .service(at("/versions/v1/{version}/unstage").route(post().to(versions::unstage)))
        .service(at("/versions/v1/{version}/approve").route(post().to(versions::approve)))
        .service(at("/versions/v1/{version}/activate").route(post().to(versions::activate)));
}

/// What administrators do about persons.
fn of_users(server: &mut ServiceConfig) {
    let at = resource::<&str>;
    server
        .service(at("/users/v1").route(get().to(users::list)).route(post().to(users::create)))
        .service(at("/users/v1/import").route(post().to(import::import)))
        .service(at("/users/v1/{name}/ticket").route(post().to(users::issue_ticket)))
        .service(at("/users/v1/{name}/re-enrol").route(post().to(recovery::re_enrol)))
        .service(
            at("/users/v1/{name}/sessions")
                .route(get().to(sessions::list_of))
                .route(delete().to(sessions::end_all_of)),
        )
        .service(at("/users/v1/{name}/sessions/{id}").route(delete().to(sessions::end_of)))
        .service(
            at("/users/v1/{name}/password-compromised")
                .route(post().to(users::password_compromised)),
        )
        .service(at("/users/v1/{name}/disable").route(post().to(users::disable)))
        .service(at("/users/v1/{name}/erase").route(post().to(erasures::person)))
        .service(at("/erasures/v1").route(post().to(erasures::subject)))
        .service(
            at("/users/v1/{name}/roles/{role}")
                .route(put().to(users::grant))
                .route(delete().to(users::revoke)),
        );
}

/// What persons do with passkeys.
fn of_passkeys(server: &mut ServiceConfig) {
    let at = resource::<&str>;
    server
        .service(
            at("/auth/v1/login/passkey/options").route(post().to(passkey_login::login_options)),
        )
        .service(at("/auth/v1/login/passkey").route(post().to(passkey_login::log_in)))
        .service(
            at("/auth/v1/verify-passkey/options").route(post().to(passkey_login::verify_options)),
        )
        .service(at("/auth/v1/verify-passkey").route(post().to(passkey_login::verify)))
        .service(at("/auth/v1/passkeys/options").route(post().to(passkeys::options)))
        .service(
            at("/auth/v1/passkeys")
                .route(get().to(passkeys::list))
                .route(post().to(passkeys::register)),
        );
}

/// Those that people look at.
fn of_pages(server: &mut ServiceConfig) {
    let at = resource::<&str>;
    server
        .service(at("/").route(get().to(pages::sign_in::door)))
        .service(
            at("/sign-in")
                .route(get().to(pages::sign_in::show))
                .route(post().to(pages::sign_in::submit)),
        )
        .service(
            at("/sign-in/code")
                .route(get().to(pages::code::show))
                .route(post().to(pages::code::submit)),
        )
        .service(
            at("/sign-out")
                .route(get().to(pages::sign_out::show))
                .route(post().to(pages::sign_out::submit)),
        )
        .service(at("/account").route(get().to(pages::account::show)))
        .service(
            at("/account/set-up")
                .route(get().to(pages::set_up::show))
                .route(post().to(pages::set_up::offer)),
        )
        .service(at("/account/set-up/confirm").route(post().to(pages::set_up::confirm)))
        .service(
            at("/sign-in/recover")
                .route(get().to(pages::recovery::show))
                .route(post().to(pages::recovery::submit)),
        )
        .service(
            at("/account/authenticators/{id}")
                .route(get().to(pages::authenticators::show))
                .route(post().to(pages::authenticators::rename)),
        )
        .service(
            at("/account/authenticators/{id}/remove")
                .route(post().to(pages::authenticators::remove)),
        )
        .service(
            at("/account/password")
                .route(get().to(pages::password::show))
                .route(post().to(pages::password::change)),
        )
        .service(
            at("/enrol")
                .route(get().to(pages::password::welcome))
                .route(post().to(pages::password::enrol)),
        )
        .service(at("/account/recovery-codes").route(post().to(pages::recovery::issue)))
        .service(at("/account/sessions/end-others").route(post().to(pages::sessions::end_others)))
        .service(at("/account/sessions/{id}/end").route(post().to(pages::sessions::end)))
        .service(at("/assets/{digest}/{file}").route(get().to(pages::assets::show)));
}

async fn nothing_here() -> Result<HttpResponse, Problem> {
    Err(Problem::not_found("there is nothing at this URL"))
}

/// Says of another method what every error says, and which methods there are.
///
/// # Errors
/// Those of the rest of the chain.
pub(super) async fn other_method(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let answer = next.call(request).await?;
    if answer.status() != StatusCode::METHOD_NOT_ALLOWED {
        return Ok(answer.map_into_left_body());
    }
    let detail = "this method is not for this URL; the header `Allow` names those that are";
    let mut problem = Problem::new(answer.status(), "method_not_allowed", detail);
    if let Some(methods) = answer.headers().get(header::ALLOW) {
        problem = problem.with_header(header::ALLOW, methods.clone());
    }
    Ok(answer.error_response(problem).map_into_right_body())
}
