//! What persons must hear of, told to a webhook that is not always there.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::app::{PASSWORD, Setup, TestApp};

const SECRET: &str = "a secret of thirty-two bytes or more";

/// Something that hears notices: what it answers next, and what it was told.
struct Webhook {
    url: String,
    script: Arc<Mutex<VecDeque<u16>>>,
    told: Receiver<Told>,
}

/// One request: how it was signed, its body, and what was answered.
struct Told {
    signature: String,
    body: String,
    status: u16,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn kind(&self) -> String {
        let kind = self.json()["type"].as_str().unwrap().to_owned();
        let short = kind.strip_prefix("countersign.").unwrap().strip_suffix(".v1").unwrap();
        short.to_owned()
    }

    fn is_signed(&self) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(self.body.as_bytes());
        let hex: String =
            mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        self.signature == format!("sha256={hex}")
    }
}

impl Webhook {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hooks/countersign", listener.local_addr().unwrap());
        let (script, (sender, told)) = (Arc::new(Mutex::new(VecDeque::new())), channel());
        let answers: Arc<Mutex<VecDeque<u16>>> = Arc::clone(&script);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let status = answers.lock().unwrap().pop_front().unwrap_or(204);
                let Some(told) = heard(stream.unwrap(), status) else { continue };
                if sender.send(told).is_err() {
                    return;
                }
            }
        });
        Self { url, script, told }
    }

    /// What it answers to the next ones; then 204 to all.
    fn answers(&self, statuses: &[u16]) {
        self.script.lock().unwrap().extend(statuses);
    }

    fn next(&self) -> Told {
        self.told.recv_timeout(Duration::from_secs(60)).expect("something is told")
    }
}

/// Reads one request and answers it.
fn heard(mut stream: TcpStream, status: u16) -> Option<Told> {
    let (mut sent, mut piece) = (Vec::new(), [0; 4_096]);
    let (head, body) = loop {
        let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        sent.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&sent).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length: usize = header(head, "content-length").parse().unwrap();
        if body.len() >= length {
            break (head.to_owned(), body.to_owned());
        }
    };
    assert!(head.starts_with("POST /hooks/countersign HTTP/1.1"), "{head}");
    let said = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(said.as_bytes()).unwrap();
    Some(Told { signature: header(&head, "countersign-signature"), body, status })
}

fn header(head: &str, name: &str) -> String {
    let named = |line: &str| {
        let (left, right) = line.split_once(':')?;
        left.eq_ignore_ascii_case(name).then(|| right.trim().to_owned())
    };
    head.lines().find_map(named).unwrap_or_default()
}

/// A node that tells a webhook; the folder holds its secret.
fn told_by(webhook: &Webhook) -> (TestApp, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let setup = Setup::default()
        .with_setting(&format!("notify.webhook={}", webhook.url))
        .with_setting(&format!("notify.secret_file={}", secret.display()));
    (TestApp::spawn(&setup), folder)
}

/// Goal: whoever must hear of something hears of it, in order, though the webhook fails and
/// the node ends in between; and nothing that is secret is told.
///
/// Source: SP 800-63B-4 §4.1.2.1, §4.6; ASVS 5.0 6.3.5, 6.3.7.
#[test]
fn notices_outlive_a_failing_webhook_and_a_restart() {
    let webhook = Webhook::open();
    let (mut app, _folder) = told_by(&webhook);
    webhook.answers(&[500, 503]);

    let admin = app.admin();

    let first: Vec<_> = (0..3).map(|_| webhook.next()).collect();
    let statuses: Vec<_> = first.iter().map(|told| told.status).collect();
    assert_eq!(statuses, [500, 503, 204]);
    assert!(first.iter().all(|told| told.body == first[0].body), "the same each time");
    let notice = first[0].json();
    assert_eq!(first[0].kind(), "password.enrolled");
    assert_eq!((&notice["person"], &notice["actor"]), (&json!("admin"), &json!("anonymous")));
    assert_eq!(webhook.next().kind(), "mfa.enrolled");

    // Nobody is held up while it is down, and the end does not wait for it.
    webhook.answers(&[500; 3]);
    app.person(&admin, "alice");
    let failed = webhook.next();
    assert_eq!((failed.kind().as_str(), failed.status), ("ticket.issued", 500));
    app.restart();
    let told: Vec<_> = (0..3).map(|_| webhook.next()).collect();
    assert!(told.iter().all(|it| it.body == failed.body), "what was taken is not told again");
    assert_eq!(webhook.next().kind(), "password.enrolled");

    for told in first.iter().chain([&failed]) {
        assert!(told.is_signed(), "{}", told.signature);
        assert!(!told.body.contains(PASSWORD));
    }
    let metrics = app.get("/metrics", &admin.token);
    assert!(metrics.text.contains("countersign_notices_total{outcome=\"taken\"} "));
    assert!(metrics.text.contains("countersign_notices_behind_entries"));
}

/// Goal: each thing that happens to an authenticator is told once, to its person.
#[test]
fn each_change_of_an_authenticator_is_told_to_its_person() {
    let webhook = Webhook::open();
    let (app, _folder) = told_by(&webhook);
    let admin = app.admin();
    app.person(&admin, "alice");
    let strong = app.two_factors(&app.one_factor("alice"));
    let seen = app.code(&strong.seed.unwrap());
    let codes = app.post("/auth/v1/recovery-codes", &strong.token, &json!({})).expect(201);
    let thief = app.one_factor("alice");
    app.verify(&thief.token, &seen).expect(401);
    app.login("alice", "a guess that is wrong").expect(401);
    let recover = json!({"username": "alice", "password": PASSWORD, "code": codes["codes"][0]});
    let json = [("content-type", "application/json")];
    app.raw("POST", "/auth/v1/recover", &json, recover.to_string().as_bytes()).expect(200);
    let all = app.get("/auth/v1/authenticators", &strong.token).expect(200);
    let totp = all["authenticators"][1]["id"].as_str().unwrap();
    let totp = format!("/auth/v1/authenticators/{totp}");
    app.delete(&totp, &strong.token).expect(204);
    app.delete("/users/v1/alice/sessions", &admin.token).expect(204);

    let told: Vec<_> = (0..10).map(|_| webhook.next()).collect();

    let kinds: Vec<_> = told.iter().map(Told::kind).collect();
    let expected = [
        "password.enrolled",
        "mfa.enrolled",
        "ticket.issued",
        "password.enrolled",
        "mfa.enrolled",
        "recovery_codes.issued",
        "mfa.refused",
        "recovery_code.used",
        "credential.removed",
        "session.ended",
    ];
    assert_eq!(kinds, expected);
    let persons: Vec<_> = told.iter().map(|it| it.json()["person"].clone()).collect();
    assert!(persons[2..].iter().all(|person| person == "alice"));
    let code = codes["codes"][0].as_str().unwrap();
    assert!(told.iter().all(|it| !it.body.contains(code) && !it.body.contains(&seen)));
}

/// Goal: what a person calls a key is between them and the log.
#[test]
fn a_notice_of_a_passkey_does_not_say_what_it_is_called() {
    let webhook = Webhook::open();
    let (app, _folder) = told_by(&webhook);
    let admin = app.admin();
    app.with_passkey(&admin, "alice", 1);
    let told: Vec<_> = (0..5).map(|_| webhook.next()).collect();
    let last = told.last().unwrap();
    assert_eq!(last.kind(), "passkey.registered");
    assert_eq!(last.json()["what"], "alice registered a passkey, which verifies its user");
    assert!(told.iter().all(|it| !it.body.contains("my key")));
    let metrics = app.get("/metrics", &admin.token);
    assert!(metrics.text.contains("countersign_notices_total{outcome=\"refused\"} 0"));
}
