//! TLS by rustls, with a certificate made for the test.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use countersign::settings::{Witness, WitnessSettings};
use tempfile::TempDir;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::app::{Answer, PASSWORD, Setup, TestApp};

/// Makes a key and a self-signed certificate for 127.0.0.1; false, and said so, if
/// `openssl` is not installed.
fn certificate(directory: &Path) -> bool {
    let (key, cert) = (directory.join("key.pem"), directory.join("cert.pem"));
    let subject = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
                   -subj /CN=countersign-test -addext subjectAltName=IP:127.0.0.1 \
                   -addext basicConstraints=critical,CA:FALSE";
    let mut openssl = Command::new("openssl");
    openssl.args(subject.split_whitespace()).arg("-keyout").arg(key).arg("-out").arg(cert);
    let Ok(made) = openssl.output() else {
        println!("SKIPPED: `openssl` is not installed");
        return false;
    };
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    true
}

fn setup(directory: &Path) -> Setup {
    let file = |name: &str| directory.join(name).display().to_string();
    Setup::default()
        .with_setting(&format!("tls_cert={}", file("cert.pem")))
        .with_setting(&format!("tls_key={}", file("key.pem")))
}

/// Goal: witnesses of a house with authorities of its own are asked like others, and who
/// only sits at their address is told nothing.
#[test]
fn a_witness_is_known_by_its_certificate() {
    let directory = TempDir::new().unwrap();
    if !certificate(directory.path()) {
        return;
    }
    let mut log = TestApp::spawn(&Setup::default());
    let key = log.node.sequencer.world().signing.in_force().next().unwrap().verifier_key.clone();
    let watching = setup(directory.path()).with_setting(&format!("witness.logs={key}"));
    let witness = TestApp::spawn(&watching);
    let key = witness.node.sequencer.world().witnessing.key().unwrap().verifier_key.clone();
    let url = witness.base.replace("http://", "https://");
    let asked = Witness { url: format!("{url}/log/v1").parse().unwrap(), key: key.clone() };
    let asking = WitnessSettings { ask: vec![asked], ..WitnessSettings::default() };

    log.restart_with(|settings| settings.witness = asking.clone());
    let outcomes = |outcome: &str, log: &TestApp| {
        let line = format!("{{outcome=\"{outcome}\",witness=\"{}\"}} 0", key.name());
        !log.node.metrics.render().unwrap().contains(&line)
    };
    until(|| outcomes("failed", &log));
    assert!(!outcomes("cosigned", &log), "a certificate that nobody vouches for");
    assert_eq!(witness.node.sequencer.world().witnessing.last(&origin(&log)), None);

    let ca = Some(directory.path().join("cert.pem"));
    log.restart_with(|settings| settings.witness = WitnessSettings { ca, ..asking });
    until(|| outcomes("cosigned", &log));
    assert!(!outcomes("failed", &log));
    assert!(witness.node.sequencer.world().witnessing.last(&origin(&log)).is_some());
}

/// Goal: nobody holds any number of requests open over one connection: `limits.connections`
/// counts connections, and the framework bounds no streams within them.
#[test]
fn no_protocol_with_streams_is_spoken() {
    let directory = TempDir::new().unwrap();
    if !certificate(directory.path()) {
        return;
    }
    let app = TestApp::spawn(&setup(directory.path()));
    let (_, address) = app.base.split_once("://").unwrap();
    let mut client = Command::new("openssl");
    client.args(["s_client", "-connect", address, "-alpn", "h2,http/1.1"]).stdin(Stdio::null());
    let said = client.output().unwrap();
    let said = String::from_utf8_lossy(&said.stdout);
    assert!(said.contains("ALPN protocol: http/1.1"), "{said}");
}

/// Waits for what comes about by itself.
#[track_caller]
fn until(come: impl Fn() -> bool) {
    let late = Instant::now() + Duration::from_secs(60);
    while !come() {
        assert!(Instant::now() < late, "it never came");
        thread::yield_now();
    }
}

fn origin(app: &TestApp) -> String {
    app.node.sequencer.world().signing.origin().unwrap().to_owned()
}

fn agent(trusted: RootCerts) -> ureq::Agent {
    let tls = TlsConfig::builder().root_certs(trusted).build();
    ureq::Agent::config_builder().http_status_as_error(false).tls_config(tls).build().into()
}

/// Goal: with a certificate, nothing goes over the wire in the clear: not an answer,
/// and no password is even asked for.
#[test]
fn a_node_with_a_certificate_speaks_tls_and_nothing_else() {
    let directory = TempDir::new().unwrap();
    if !certificate(directory.path()) {
        return;
    }
    let app = TestApp::spawn(&setup(directory.path()));
    let https = app.base.replace("http://", "https://");
    let pem = std::fs::read(directory.path().join("cert.pem")).unwrap();
    let known = RootCerts::new_with_certs(&[Certificate::from_pem(&pem).unwrap()]);
    let client = agent(known);

    let enrol = format!("{https}/auth/v1/enrol");
    let body = serde_json::json!({"ticket": app.ticket.expose(), "password": PASSWORD});
    assert_eq!(Answer::of(client.post(&enrol).send_json(&body)).status, 201);
    assert_eq!(Answer::of(client.get(format!("{https}/healthz")).call()).status, 200);

    let plaintext = agent(RootCerts::WebPki).get(format!("{}/healthz", app.base)).call();
    assert!(plaintext.is_err(), "{plaintext:?}");
    let stranger = agent(RootCerts::WebPki).get(format!("{https}/healthz")).call();
    assert!(stranger.is_err(), "a certificate that nobody vouches for is not believed");
}
