//! `POST /users/v1/import`: persons and their passwords' hashes from another system.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::guard::{Guarded, ManageUsers};
use super::sealed::{self, Secret};
use super::users::username;
use super::{App, Problem, body};
use crate::authn::import::{Import, import as decide_import};
use crate::entropy::uuid_v7;
use crate::hasher::PasswordHash;
use crate::model::{Label, Username};
use crate::vault::Purpose;

#[derive(Deserialize)]
struct Users {
    users: Vec<User>,
    #[serde(default)]
    reason: Label,
}

#[derive(Deserialize)]
struct User {
    name: String,
    hash: Zeroizing<String>,
}

/// Makes persons known with the hashes they bring along, each by itself: one that is
/// refused stops no other.
///
/// # Errors
/// [`Problem`]: 400 for more than `limits.batch_items`, 503. What is wrong with one of
/// them is in the answer.
pub async fn import(
    may: Guarded<ManageUsers>,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let Users { users, reason } = body::typed(body::json(&app, &request, payload).await?)?;
    let most = app.settings.limits.batch_items;
    if users.len() > most {
        return Err(Problem::bad("too_many", format!("at most {most} users in one request")));
    }
    let (mut imported, mut refused) = (Vec::new(), Vec::<Value>::new());
    for user in users {
        match one(&may, &app, &request, &user, &reason).await {
            Ok(name) => imported.push(name),
            Err(problem) if problem.is_the_callers() => {
                let (code, detail) = (problem.code(), problem.detail());
                refused.push(json!({"name": user.name, "code": code, "detail": detail}));
            }
            Err(ours) => return Err(ours),
        }
    }
    Ok(HttpResponse::Ok().json(json!({"imported": imported, "refused": refused})))
}

async fn one(
    may: &Guarded<ManageUsers>,
    app: &web::Data<App>,
    request: &HttpRequest,
    user: &User,
    reason: &Label,
) -> Result<Username, Problem> {
    let name = username(&user.name)?;
    let unfit = |error: crate::hasher::Unimportable| {
        let status = actix_web::http::StatusCode::UNPROCESSABLE_ENTITY;
        Problem::new(status, "bad_hash", error.to_string())
    };
    let hash = PasswordHash::imported(&user.hash).map_err(unfit)?;
    let scheme = hash.scheme();
    let credential = uuid_v7(&*app.entropy, app.clock.now())?;
    let bytes = Zeroizing::new(hash.to_phc().as_bytes().to_vec());
    let secret = Secret { credential, purpose: Purpose::Password, bytes };
    let (person, reason) = (name.clone(), reason.clone());
    let decide = move |sealed, world: &_, _| {
        decide_import(world, &Import { name: person, scheme, credential, sealed, reason })
    };
    let on = (may.caller.origin(request), may.expected());
    sealed::replace_if(app, on, &name, secret, decide).await?;
    Ok(name)
}
