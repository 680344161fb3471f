//! Our pages in a real browser: headless Chromium over a served deployment, with an
//! authenticator of its own (`WebAuthn`'s virtual one) where a passkey is wanted.
//!
//! Needs `node`, `chromium`, and a folder with `node_modules/playwright-core` that
//! `COUNTERSIGN_BROWSER` names; without them each test says that it is skipped. With
//! `COUNTERSIGN_SCREENSHOTS` a picture of every page is put into that folder.

#![cfg(test)]

#[allow(dead_code)] // the tests that kill the program use the rest
#[path = "../binary/mod.rs"]
mod binary;

use std::path::Path;
use std::process::Command;

use binary::{Ground, PASSWORD, Server, found_program, shipped, text};
use serde_json::{Value, json};

/// How many looks there are to take at pages.
const PAGES: usize = 16;

/// A served deployment, people in it, and the programs to visit it with.
struct Site {
    ground: Ground,
    server: Server,
    office: String,
    node: String,
    chromium: String,
    modules: String,
}

impl Site {
    /// Nothing where a program is missing, and then that has been said.
    fn open() -> Option<Self> {
        let node = found_program("node")?;
        let chromium = found_program("chromium")?;
        let modules = std::env::var("COUNTERSIGN_BROWSER").unwrap_or_default();
        if !Path::new(&modules).join("node_modules/playwright-core").is_dir() {
            println!("SKIPPED: COUNTERSIGN_BROWSER names no folder with playwright-core");
            return None;
        }
        let ground = Ground::new();
        ground.found();
        let office = ground.token("admin,audit");
        let server = ground.serve(&["--log-level", "warn"]);
        Some(Self { ground, server, office, node, chromium, modules })
    }

    /// A new person with a password.
    fn person(&self, name: &str) {
        let made = self.post("/users/v1", &json!({"name": name}));
        self.post(
            "/auth/v1/enrol",
            &json!({"ticket": text(&made, "ticket"), "password": PASSWORD}),
        );
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let request = ureq::post(format!("{}{path}", self.server.url));
        let request = request.header("authorization", format!("Bearer {}", self.office));
        request.send_json(body).unwrap().body_mut().read_json().unwrap()
    }

    /// How many entries of a type the log has.
    fn recorded(&self, kind: &str) -> usize {
        let url = format!("{}/audit/v1/events?type={kind}", self.server.url);
        let request = ureq::get(url).header("authorization", format!("Bearer {}", self.office));
        let page: Value = request.call().unwrap().body_mut().read_json().unwrap();
        page["events"].as_array().unwrap().len()
    }

    /// Has a browser do what `visits.cjs` says under this name; what it found out.
    fn visit(&self, what: &str, person: &str) -> Value {
        let mut command = Command::new(&self.node);
        command
            .args([&shipped("tests/browser/visits.cjs"), what])
            .env("BASE", self.server.url.replace("127.0.0.1", "localhost"))
            .env("NAME", person)
            .env("PASSWORD", PASSWORD)
            .env("CHROMIUM", &self.chromium)
            .env("COUNTERSIGN_BROWSER", &self.modules);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let failed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{what}: {said}\n{failed}\n{}", self.ground.server_log());
        serde_json::from_str(said.lines().last().unwrap_or("null")).unwrap()
    }
}

/// Goal: every page is fit to be shown: in light, dark and 320 pixels wide, with no fault
/// that axe finds, and with nothing asked for elsewhere.
#[test]
fn every_page_looks_as_it_should() {
    let Some(site) = Site::open() else { return };
    site.person("tess");
    let found = site.visit("tour", "tess");
    assert_eq!(found["seen"].as_array().unwrap().len(), PAGES, "{found}");
    if found["inspected"] == false {
        println!("SKIPPED: COUNTERSIGN_BROWSER has no axe-core: nobody looked for faults");
    }
}

/// Goal: the whole of it works where no script runs: a name and a password, a second factor
/// from the QR code's key, out, and in again with both.
#[test]
fn a_person_signs_in_with_password_and_code_without_scripts() {
    let Some(site) = Site::open() else { return };
    site.person("alice");
    let found = site.visit("password-and-code", "alice");
    assert_eq!(found["levels"], json!(["AAL1", "AAL2", "AAL2"]));
}

/// Goal: nobody needs a mouse.
#[test]
fn a_person_signs_in_and_out_with_the_keyboard_alone() {
    let Some(site) = Site::open() else { return };
    site.person("kim");
    let found = site.visit("keyboard", "kim");
    assert_eq!(found["order"], json!(["skip", "Countersign", "username", "password", "Sign in"]));
}

/// Goal: our own pages make a passkey and take it, alone and beside a password; what it is
/// called claims no biometrics.
#[test]
fn a_person_adds_a_passkey_and_signs_in_with_it() {
    let Some(site) = Site::open() else { return };
    site.person("petra");
    let found = site.visit("passkey", "petra");
    assert_eq!(found["levels"], json!(["AAL2", "AAL2"]));
    assert_eq!(found["shown"], "passkey, unlocked by its PIN or biometric");
    assert_eq!(site.recorded("passkey.registered"), 1);
}

/// Source: SP 800-63B-4 §3.1.7.2.
#[test]
fn a_passkey_that_verified_nobody_does_not_sign_in() {
    let Some(site) = Site::open() else { return };
    site.person("uma");
    let found = site.visit("passkey-unverified", "uma");
    let said = found["said"].as_array().unwrap();
    assert!(said[0].as_str().unwrap().starts_with("No passkey was used"), "{found}");
    assert!(said[1].as_str().unwrap().contains("passkey"), "{found}");
    assert_eq!(site.recorded("passkey.verified"), 1, "the one beside the password");
    assert_eq!(site.recorded("passkey.refused"), 1);
}

/// Source: `WebAuthn` Level 3 §6.1.1.
#[test]
fn a_copied_passkey_is_disabled_and_recorded() {
    let Some(site) = Site::open() else { return };
    site.person("cleo");
    let found = site.visit("passkey-cloned", "cleo");
    assert!(found["said"].as_str().unwrap().contains("passkey"), "{found}");
    assert_eq!(site.recorded("passkey.verified"), 2, "the honest ones");
    assert_eq!(site.recorded("credential.disabled"), 1);
}

/// Source: SP 800-63B-4 appendix B.
#[test]
fn a_passkey_that_may_be_copied_never_gives_aal3() {
    let Some(site) = Site::open() else { return };
    site.person("bea");
    let found = site.visit("passkey-synced", "bea");
    assert_eq!(found, json!({"level": "AAL2", "copied": true, "three": false}));
}
