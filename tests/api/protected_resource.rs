//! The article's demo, done right: the example PEP before a real node.

use actix_web::{App, HttpServer, web};
use countersign::event::Verdict;

use crate::app::{Person, Setup, TestApp};

#[path = "../../examples/protected_resource/pep.rs"]
mod pep;

/// The example's server in front of a node with the example organisation.
struct Gate {
    app: TestApp,
    url: String,
}

/// What came back: the status, and the challenge if there was one.
type Seen = (u16, String);

impl Gate {
    fn open() -> (Self, Person) {
        let app = TestApp::spawn(&Setup::cloud());
        let admin = app.admin();
        app.person(&admin, "alice");
        let pdp = pep::Pdp { url: app.url(""), token: app.token(&admin, &["evaluate"]) };
        let url = serve(pdp);
        (Self { app, url }, admin)
    }

    fn get(&self, user: &str, session: Option<&str>) -> Seen {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = agent.get(format!("{}/protected-resource", self.url));
        request = request.header("user", user);
        if let Some(session) = session {
            request = request.header("authorization", format!("Bearer {session}"));
        }
        let answer = request.call().unwrap();
        let challenge = answer.headers().get("www-authenticate");
        let challenge = challenge.map_or("", |value| value.to_str().unwrap()).to_owned();
        (answer.status().as_u16(), challenge)
    }
}

fn serve(pdp: pep::Pdp) -> String {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let pdp = web::Data::new(pdp);
            let app = move || {
                App::new()
                    .app_data(pdp.clone())
                    .route("/protected-resource", web::get().to(pep::protected_resource))
            };
            let server = HttpServer::new(app).workers(1).bind("127.0.0.1:0").unwrap();
            sender.send(server.addrs()[0]).unwrap();
            server.run().await.unwrap();
        });
    });
    format!("http://{}", receiver.recv().unwrap())
}

/// Goal: neither a password alone nor somebody else's two factors open it, and who is
/// refused is told what to do.
#[test]
fn the_protected_resource_opens_after_both_factors_and_not_before() {
    let (gate, admin) = Gate::open();
    let two_factors = "acr_values=\"urn:countersign:aal2 phr\"";

    let (status, challenge) = gate.get("alice", None);
    assert_eq!(status, 401);
    assert!(challenge.starts_with("Bearer error=\"insufficient_user_authentication\""));
    assert!(challenge.contains(two_factors), "{challenge}");

    let alice = gate.app.one_factor("alice");
    let (status, challenge) = gate.get("alice", Some(&alice.session_token));
    assert_eq!((status, challenge.contains(two_factors)), (401, true), "{challenge}");
    assert_eq!(gate.get("alice", Some(&admin.session_token)), (403, String::new()));

    let alice = gate.app.two_factors(&alice);
    assert_eq!(gate.get("alice", Some(&alice.session_token)), (200, String::new()));
    // The token for Countersign's own API is none for PEPs.
    assert_eq!(gate.get("alice", Some(&alice.token)).0, 401);
    assert_eq!(gate.get("stranger", Some(&alice.session_token)), (403, String::new()));

    let verdicts: Vec<_> = gate.app.decisions().iter().map(|it| it.decision).collect();
    let (deny, allow) = (Verdict::Deny, Verdict::Allow);
    assert_eq!(verdicts, [deny, deny, deny, allow, deny, deny]);
    gate.app.assert_replays();
}

/// Goal: a node that cannot record does not answer, and then nobody gets in.
#[test]
fn nobody_gets_in_while_there_is_no_answer() {
    let gate = Gate { url: serve(unreachable()), app: TestApp::spawn(&Setup::cloud()) };
    assert_eq!(gate.get("alice", None).0, 503);
}

/// An address at which nobody listens.
fn unreachable() -> pep::Pdp {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    pep::Pdp { url: format!("http://{address}"), token: "none".to_owned() }
}
