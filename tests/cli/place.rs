//! The two ways to a log: a stopped directory, and the server of one like it.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::binary::{Ground, Said, Server};

/// A data directory, and its server if it is served.
pub struct Place {
    pub ground: Ground,
    pub server: Option<Server>,
    /// A token with the scopes `publish`, `audit` and `admin`.
    pub token: String,
}

impl Place {
    /// The example organisation in a directory that nobody serves.
    pub fn stopped() -> Self {
        let ground = Ground::new();
        ground.found();
        let token = ground.token("publish,audit,admin");
        Self { ground, server: None, token }
    }

    /// The same, served.
    pub fn served() -> Self {
        let mut place = Self::stopped();
        place.server = Some(place.ground.serve(&["--log-level", "warn"]));
        place
    }

    /// Both, each with a history of its own that begins alike.
    pub fn both() -> [Self; 2] {
        [Self::stopped(), Self::served()]
    }

    /// A command that is told where the log is.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let data = self.ground.data();
        let place = match &self.server {
            Some(server) => ["--server", server.url.as_str()],
            None => ["--data", data.as_str()],
        };
        let mut command = self.ground.program(&[arguments, &place].concat());
        command.env("COUNTERSIGN_TOKEN", &self.token).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end, for people to read.
    pub fn say(&self, arguments: &[&str]) -> Said {
        Said::of(self.command(arguments).output().unwrap())
    }

    /// Runs a command that ends well, for programs to read; what it says.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.say(&[arguments, &["--format", "json"]].concat()).done().json()
    }

    /// Writes a file that a command may be given, by this name.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.ground.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Asks the server, if there is one, to end as an operating system does.
    pub fn stop(&mut self) -> Option<i32> {
        let server = self.server.take()?;
        server.terminate();
        server.ended()
    }
}

/// Output without what no two runs have in common: times, ids, secrets, and where in the
/// log something stands.
pub fn masked(text: &str) -> String {
    let mut before = "";
    let mut words = Vec::new();
    for word in text.split_whitespace() {
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let varies = digits >= 6 || word.starts_with("cs_") || before == "entry";
        words.push(if varies { "…" } else { word });
        before = word;
    }
    words.join(" ")
}

/// The same of JSON.
pub fn alike(mut json: Value) -> Value {
    const VARY: [&str; 10] = [
        "publication",
        "id",
        "index",
        "ticket",
        "token",
        "service",
        "expires_at",
        "registered_at",
        "revoked",
        "sealed",
    ];
    match &mut json {
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                let varies = VARY.contains(&name.as_str()) && !value.is_object();
                *value = if varies { "…".into() } else { alike(value.take()) };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = alike(item.take())),
        _ => {}
    }
    json
}
