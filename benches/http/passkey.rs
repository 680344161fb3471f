//! Somebody honest who signs in with a passkey, meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use actix_web::rt::{System, time::sleep_until};
use serde_json::{Value, json};
use webauthn_authenticator_rs::WebauthnAuthenticator as _;
use webauthn_authenticator_rs::prelude::Url;
use webauthn_authenticator_rs::softpasskey::SoftPasskey;

use crate::client::{Connection, call, post};
use crate::samples::percentiles;

/// How often somebody signs in: each network has an allowance.
const EVERY: Duration = Duration::from_millis(500);

/// Somebody with a passkey.
pub struct Holder {
    address: SocketAddr,
    place: Url,
    key: SoftPasskey,
}

/// Somebody who keeps signing in, on a thread of its own.
pub struct SigningIn {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(Holder, SignIns)>,
}

/// How the sign-ins went: how long each took from the first request to the session, and how
/// many were refused.
#[derive(Default)]
pub struct SignIns {
    took: Vec<Duration>,
    refused: usize,
}

impl Holder {
    /// Registers a passkey for a person with two factors.
    pub async fn register(address: SocketAddr, token: &str) -> Self {
        let place: Url = format!("http://localhost:{}", address.port()).parse().unwrap();
        let asked = json!({"label": "bench", "kind": "passkey"});
        let asked = call(address, "/auth/v1/passkeys/options", token, &asked, 200).await;
        let options = serde_json::from_value(asked["options"].clone()).unwrap();
        let mut key = SoftPasskey::new(true);
        let made = key.do_registration(place.clone(), options).unwrap();
        let made = json!({"ticket": asked["ticket"], "credential": made});
        call(address, "/auth/v1/passkeys", token, &made, 201).await;
        Self { address, place, key }
    }

    /// Keeps signing in until it is told to stop.
    pub fn keep_signing_in(mut self, name: &'static str) -> SigningIn {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let done = System::new().block_on(async {
                let mut done = SignIns::default();
                let mut due = Instant::now();
                while !told.load(Ordering::Relaxed) {
                    self.sign_in(name, &mut done).await;
                    due += EVERY;
                    sleep_until(due.into()).await;
                }
                done
            });
            (self, done)
        });
        SigningIn { stop, thread }
    }

    async fn sign_in(&mut self, name: &str, done: &mut SignIns) {
        let mut connection = Connection::open(self.address).await;
        let begun = Instant::now();
        let asked = json!({"username": name}).to_string();
        let answer = connection.ask(&post("/auth/v1/login/passkey/options", &[], &asked)).await;
        if answer.status != 200 {
            done.refused += 1;
            return;
        }
        let asked: Value = serde_json::from_slice(answer.body).unwrap();
        let options = serde_json::from_value(asked["options"].clone()).unwrap();
        let signed = self.key.do_authentication(self.place.clone(), options).unwrap();
        let signed = json!({"ticket": asked["ticket"], "credential": signed}).to_string();
        let answer = connection.ask(&post("/auth/v1/login/passkey", &[], &signed)).await;
        if answer.status == 200 {
            let session: Value = serde_json::from_slice(answer.body).unwrap();
            assert_eq!(session["session"]["aal"], 2);
            done.took.push(begun.elapsed());
        } else {
            done.refused += 1;
        }
    }
}

impl SigningIn {
    /// Ends it.
    pub fn stop(self) -> (Holder, SignIns) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

impl SignIns {
    pub fn add(&mut self, others: Self) {
        self.took.extend(others.took);
        self.refused += others.refused;
    }

    pub fn told(&self) -> String {
        let [half, most] = percentiles(&self.took, [50.0, 100.0]);
        let (all, refused) = (self.took.len() + self.refused, self.refused);
        format!("{all} sign-ins, {refused} refused, p50 {half:.1?}, longest {most:.1?}")
    }
}
