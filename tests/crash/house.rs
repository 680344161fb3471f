//! A deployment to be killed: an organisation, its tokens, and two people.

use countersign::authn::TotpSeed;
use serde_json::{Value, json};

use crate::binary::{Ground, PASSWORD, Server, seed, text};
use crate::wire::Wire;

/// The example organisation in a data directory, and who may do what with it.
pub struct House {
    pub ground: Ground,
    /// Tokens with one scope each.
    pub pep: String,
    pub author: String,
    pub auditor: String,
}

/// What a person has in hand: a token, a session for PEPs, an authenticator.
pub struct Person {
    pub token: String,
    pub session: String,
    pub seed: TotpSeed,
}

impl House {
    /// Founds it, with `alice` and `bob` registered; their tickets.
    pub fn found() -> (Self, [String; 2]) {
        Self::found_on(Ground::new())
    }

    /// The same on a ground that has been prepared.
    pub fn found_on(ground: Ground) -> (Self, [String; 2]) {
        ground.found();
        let data = ground.data();
        let tickets = ["alice", "bob"].map(|name| {
            let create = ["user", "create", name, "--data", &data, "--format", "json"];
            text(&ground.run(&create).done().json(), "ticket")
        });
        let [pep, author, auditor] =
            ["evaluate", "publish", "audit"].map(|scope| ground.token(scope));
        (Self { ground, pep, author, auditor }, tickets)
    }

    /// Serves it, with little said in the server's log.
    pub fn serve(&self) -> Server {
        self.ground.serve(&["--log-level", "warn"])
    }

    /// Replays the log in the stopped directory, or of the server.
    #[track_caller]
    pub fn assert_replays(&self, server: Option<&Server>) {
        let data = self.ground.data();
        let log = match server {
            Some(server) => ["--server", server.url.as_str()],
            None => ["--data", data.as_str()],
        };
        let mut replay = self.ground.program(&[&["replay", "--format", "json"][..], &log].concat());
        let replay = replay.env("COUNTERSIGN_TOKEN", &self.auditor).output().unwrap();
        let told = String::from_utf8_lossy(&replay.stderr);
        assert!(replay.status.success(), "{}: {told}", String::from_utf8_lossy(&replay.stdout));
    }

    /// Exchanges a person's ticket for a password.
    pub fn enrol(server: &Server, ticket: &str) {
        let body = json!({"ticket": ticket, "password": PASSWORD});
        let answer = Wire::to(&server.url).post("/auth/v1/enrol", "", &body).unwrap();
        assert_eq!(answer.status, 201, "{}", answer.body);
    }
}

impl Person {
    /// Logs in for the first time and sets up an authenticator.
    pub fn with_two_factors(server: &Server, name: &str) -> Self {
        let wire = Wire::to(&server.url);
        let body = json!({"username": name, "password": PASSWORD});
        let first = wire.post("/auth/v1/login", "", &body).unwrap();
        assert_eq!(first.status, 200, "{}", first.body);
        let token = text(&first.body, "token");
        let offer = wire.post("/auth/v1/setup-mfa", &token, &json!({})).unwrap();
        let seed = seed_of(&offer.body);
        let code = json!({"mfa_code": code(&seed, 0)});
        let raised = wire.post("/auth/v1/verify-mfa", &token, &code).unwrap();
        assert_eq!(raised.status, 200, "{}", raised.body);
        Self::holding(&raised.body, seed)
    }

    /// What an answer has put in a person's hand.
    pub fn holding(answer: &Value, seed: TotpSeed) -> Self {
        Self { token: text(answer, "token"), session: text(answer, "session_token"), seed }
    }
}

/// What an authenticator shows now, or showed so many seconds ago.
pub fn code(seed: &TotpSeed, ago_s: u64) -> String {
    use countersign::clock::{Clock as _, SystemClock};
    countersign::authn::code_at(seed, SystemClock.now().minus_seconds(ago_s)).to_string()
}

/// The seed in an offer.
pub fn seed_of(offer: &Value) -> TotpSeed {
    seed(&text(offer, "secret"))
}
