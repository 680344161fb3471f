//! The story: what alice, an application and an auditor do, and what comes of it.

use serde_json::{Value, json};
use totp_rs::Totp;

use super::super::client::{Answer, Client, Verb};
use super::super::failure::Failure;
use super::account::Account;
use super::scene::{Call, Question, Scene, token};
use super::stage::Stage;
use crate::clock::{Clock as _, SystemClock};
use crate::entropy::{SystemEntropy, draw};
use crate::model::{Digest, SecretToken};

/// What is left when the story is over.
pub(super) struct Left {
    /// The digest of the live state, asked for last.
    pub(super) state: Digest,
    url: String,
    application: String,
    auditor: String,
    administrator_ticket: String,
    alice: Alice,
}

/// Somebody with a password, and later an authenticator app.
struct Alice {
    client: Client,
    password: SecretToken,
    session_token: String,
    secret: String,
}

const ALICE: (&str, &str) = ("User", "alice");
const PROTECTED: (&str, &str) = ("ProtectedResource", "protected-resource");

/// Tells it, step by step.
///
/// # Errors
/// [`Failure`] if the server does not answer; wrong answers are in the account.
pub(super) fn tell(stage: &Stage, account: &mut Account<'_>) -> Result<Left, Failure> {
    let (server, props) = (stage.client()?, stage.props());
    let mut scene = Scene::open(account, &server, &props.application, &props.auditor)?;
    let random = draw(&SystemEntropy).map_err(Failure::could_not_run)?;
    let password = SecretToken::new("demo", &random);
    let mut alice =
        Alice { client: server, password, session_token: String::new(), secret: String::new() };

    scene.part("Alice sets a password and logs in")?;
    alice.enrol(&mut scene, &props.ticket)?;
    alice.log_in(&mut scene)?;
    scene.part("The protected resource wants two factors")?;
    alice.adds_a_factor(&mut scene)?;
    scene.part("Least privilege: what no policy permits is denied")?;
    least_privilege(&mut scene, &alice)?;
    scene.part("Segments: walls that no permit opens")?;
    segments(&mut scene, &alice)?;
    scene.part("Nobody is above it")?;
    tokens_are_for_one_thing(&mut scene)?;

    Ok(Left {
        state: scene.state()?.digest,
        url: stage.url().to_owned(),
        application: props.application.token.clone(),
        auditor: props.auditor.token.clone(),
        administrator_ticket: props.administrator_ticket.clone(),
        alice,
    })
}

impl Alice {
    fn enrol(&self, scene: &mut Scene<'_, '_>, ticket: &str) -> Result<(), Failure> {
        let body = json!({"ticket": ticket, "password": self.password.expose()});
        let titles = [
            ("She exchanges her one-time ticket for a password", "201"),
            ("The ticket works once", "401 ticket_invalid"),
        ];
        for (title, expected) in titles {
            scene.call(&self.post(title, "/auth/v1/enrol", body.clone(), expected))?;
        }
        Ok(())
    }

    fn log_in(&mut self, scene: &mut Scene<'_, '_>) -> Result<(), Failure> {
        let body = |password: &str| json!({"username": "alice", "password": password});
        let path = "/auth/v1/login";
        let wrong = body("not the password she chose");
        scene.call(&self.post("A wrong password", path, wrong, "401 login_failed"))?;
        let right = body(self.password.expose());
        let title = "The right password: a session of one factor";
        let answer = scene.call(&self.post(title, path, right, "200 AAL1"))?;
        self.takes(&answer)
    }

    /// From a deny for want of a factor to an allow.
    fn adds_a_factor(&mut self, scene: &mut Scene<'_, '_>) -> Result<(), Failure> {
        let deny = (false, ["mfa-protected-resource"].as_slice());
        scene.ask(&self.opens("The application asks for alice, who has shown one factor", deny))?;
        let title = "The application claims two factors for her: only the log's own facts count";
        let claim = json!({"session": {"aal": 3, "amr": ["pwd", "otp", "mfa"]}});
        scene.ask(&Question { context: claim, session: None, ..self.opens(title, deny) })?;

        let path = "/auth/v1/setup-mfa";
        let title = "She sets up an authenticator app with the QR code she is shown";
        let offer = scene.call(&self.post(title, path, json!({}), "200"))?;
        let code = code(&offer)?;
        let secret = offer.body.get("secret").and_then(Value::as_str);
        secret.unwrap_or_default().clone_into(&mut self.secret);
        let (path, body) = ("/auth/v1/verify-mfa", json!({"mfa_code": code}));
        let title = "The code that the app shows: the session has two factors";
        let raised = scene.call(&self.post(title, path, body.clone(), "200 AAL2"))?;
        let before = self.session_token.clone();
        self.takes(&raised)?;
        let title = "The same code again: each is accepted once, for ever";
        scene.call(&self.post(title, path, body, "401 mfa_failed"))?;

        let title = "The session token of before the second factor is worth nothing";
        scene.ask(&Question { session: Some(&before), ..self.opens(title, deny) })?;
        let allow = (true, ["employees-open-protected-resource"].as_slice());
        scene.ask(&self.opens("With the new one the protected resource opens", allow))
    }

    fn opens<'a>(&'a self, title: &'a str, expected: (bool, &'a [&'a str])) -> Question<'a> {
        self.does(title, "open", PROTECTED, expected)
    }

    fn does<'a>(
        &'a self,
        title: &'a str,
        action: &'a str,
        resource: (&'a str, &'a str),
        expected: (bool, &'a [&'a str]),
    ) -> Question<'a> {
        let session = Some(self.session_token.as_str());
        Question {
            title,
            subject: ALICE,
            action,
            resource,
            session,
            context: Value::Null,
            expected,
        }
    }

    fn post<'a>(
        &'a self,
        title: &'a str,
        path: &'a str,
        body: Value,
        expected: &'a str,
    ) -> Call<'a> {
        Call { title, by: &self.client, verb: Verb::Post, path, body, expected }
    }

    /// Keeps the tokens of a session, if there are any.
    fn takes(&mut self, answer: &Answer) -> Result<(), Failure> {
        let text = |name: &str| answer.body.get(name).and_then(Value::as_str);
        if let (Some(own), Some(session_token)) = (text("token"), text("session_token")) {
            self.client = self.client.with_token(Some(token(own)?));
            session_token.clone_into(&mut self.session_token);
        }
        Ok(())
    }
}

/// What an authenticator app shows that has read the QR code of an offer.
fn code(offer: &Answer) -> Result<String, Failure> {
    let uri = offer.body.get("otpauth_uri").and_then(Value::as_str).unwrap_or_default();
    let unfit = |_| Failure::could_not_run("the server offers what no authenticator app can read");
    let app = Totp::from_url(uri).map_err(unfit)?;
    Ok(app.generate(SystemClock.now().seconds()).to_string())
}

fn least_privilege(scene: &mut Scene<'_, '_>, alice: &Alice) -> Result<(), Failure> {
    let handbook = ("Document", "handbook");
    let allow = (true, ["employees-view-documents"].as_slice());
    scene.ask(&alice.does("Alice reads the handbook", "view", handbook, allow))?;
    let deny = (false, [].as_slice());
    scene.ask(&alice.does("Alice deletes the handbook", "delete", handbook, deny))
}

fn segments(scene: &mut Scene<'_, '_>, alice: &Alice) -> Result<(), Failure> {
    let (api, data) = (("Service", "orders-api"), ("Service", "orders-db"));
    let workload = |title, id, resource, expected| Question {
        title,
        subject: ("Workload", id),
        action: "connect",
        resource,
        session: None,
        context: Value::Null,
        expected,
    };
    let title = "The storefront (web) connects to the orders service (api)";
    scene.ask(&workload(title, "storefront", api, (true, &["road-web-api"])))?;
    let title = "The storefront (web) connects to the database (data)";
    scene.ask(&workload(title, "storefront", data, (false, &["wall-data"])))?;
    let title = "A quarantined workload of api connects to the database";
    scene.ask(&workload(title, "orders-canary", data, (false, &["wall-quarantine"])))?;
    let title = "Alice connects to the database, two factors or not";
    scene.ask(&alice.does(title, "connect", data, (false, &["wall-data"])))
}

fn tokens_are_for_one_thing(scene: &mut Scene<'_, '_>) -> Result<(), Failure> {
    let application = scene.application();
    scene.call(&Call {
        title: "The application asks for the log with its token",
        by: &application,
        verb: Verb::Get,
        path: "/audit/v1/events",
        body: Value::Null,
        expected: "403 forbidden",
    })?;
    Ok(())
}

impl Left {
    /// Lines to try while the server stays, tokens and all.
    pub(super) fn lines(&self) -> Vec<String> {
        let Self { url, application, auditor, administrator_ticket, alice, .. } = self;
        let (session, password) = (&alice.session_token, alice.password.expose());
        let ask = json!({
            "subject": {"type": "User", "id": "alice"},
            "action": {"name": "open"},
            "resource": {"type": "ProtectedResource", "id": "protected-resource"},
        });
        let heading = |text: &str| format!("\n# {text}");
        vec![
            heading("alice's account, in a browser"),
            format!("{}/sign-in", url.replace("127.0.0.1", "localhost")),
            "name      alice".to_owned(),
            format!("password  {password}"),
            format!("code      from an authenticator app with the key {}", alice.secret),
            heading("may alice open the protected resource? (she has shown two factors)"),
            format!(
                "curl -si {url}/access/v1/evaluation -H 'Authorization: Bearer {application}' \
                 -H 'Countersign-Session: {session}' -H 'Content-Type: application/json' -d '{ask}'"
            ),
            heading("what has been denied, newest first"),
            format!(
                "curl -s '{url}/audit/v1/events?decision=deny&limit=5' \
                 -H 'Authorization: Bearer {auditor}'"
            ),
            heading("the same as a table; the log as it grows; every decision taken again"),
            format!("export COUNTERSIGN_SERVER={url} COUNTERSIGN_TOKEN={auditor}"),
            "countersign log --decision deny --newest --limit 5".to_owned(),
            "countersign log --follow".to_owned(),
            "countersign replay".to_owned(),
            heading("log in as alice"),
            format!(
                "curl -s {url}/auth/v1/login -H 'Content-Type: application/json' \
                 -d '{{\"username\":\"alice\",\"password\":\"{password}\"}}'"
            ),
            heading("become the first administrator, with the ticket"),
            format!("countersign enrol --server {url}    # {administrator_ticket}"),
            format!("countersign login --server {url} --username admin --set-up-mfa"),
        ]
    }
}
