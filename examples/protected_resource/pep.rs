//! The policy enforcement point: it knows nothing of passwords, factors or policies. It
//! asks Countersign before each answer, serves the resource on an allow, and on anything
//! else does not.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

/// Where decisions are taken, and the token (scope `evaluate`) to ask with.
#[derive(Clone)]
pub struct Pdp {
    pub url: String,
    pub token: String,
}

/// `GET /protected-resource`, as a person who has logged in to Countersign: their session
/// token is the bearer token, and the header `User` says who they are. It may say
/// anything: a session counts only for the user whose it is.
pub async fn protected_resource(pdp: web::Data<Pdp>, request: HttpRequest) -> HttpResponse {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let user = text("user").unwrap_or("nobody").to_owned();
    let bearer = text("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let session = bearer.map(str::to_owned);
    let asked = web::block(move || ask(&pdp, &user, session.as_deref())).await;
    match asked {
        Ok(Some(answer)) if answer.pointer("/decision") == Some(&json!(true)) => {
            HttpResponse::Ok().body("You are in. Two factors, and a record of it.\n")
        }
        Ok(Some(answer)) => refused(&answer),
        // No answer is no permission.
        Ok(None) | Err(_) => HttpResponse::ServiceUnavailable().body("try again later\n"),
    }
}

/// One question, by AuthZEN 1.0; nothing if there is no answer.
fn ask(pdp: &Pdp, user: &str, session: Option<&str>) -> Option<Value> {
    let question = json!({
        "subject": {"type": "User", "id": user},
        "action": {"name": "open"},
        "resource": {"type": "ProtectedResource", "id": "protected-resource"},
        "context": {"supported_obligations": ["step-up"]},
    });
    let mut request = ureq::post(format!("{}/access/v1/evaluation", pdp.url))
        .header("authorization", format!("Bearer {}", pdp.token));
    if let Some(session) = session {
        request = request.header("countersign-session", session);
    }
    let mut answer = request.send_json(question).ok()?;
    answer.body_mut().read_json().ok()
}

/// A denial; with the challenge of RFC 9470 §3 where another login would help.
fn refused(answer: &Value) -> HttpResponse {
    let step_up = |name: &str| answer.pointer(&format!("/context/obligations/0/properties/{name}"));
    let Some(acr_values) = step_up("acr_values").and_then(Value::as_str) else {
        return HttpResponse::Forbidden().body("no\n");
    };
    let max_age = step_up("max_age").and_then(Value::as_u64);
    let max_age = max_age.map(|age| format!(", max_age=\"{age}\""));
    let challenge = format!(
        "Bearer error=\"insufficient_user_authentication\", \
         error_description=\"log in as asked\", acr_values=\"{acr_values}\"{}",
        max_age.unwrap_or_default()
    );
    HttpResponse::build(StatusCode::UNAUTHORIZED)
        .insert_header((header::WWW_AUTHENTICATE, challenge))
        .body("log in as asked\n")
}
