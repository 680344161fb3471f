//! The program as a stranger meets it: arguments in, words and an exit code out.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use countersign::authn::TotpSeed;
use serde_json::Value;
use tempfile::TempDir;

/// A password that passes the rules.
pub const PASSWORD: &str = "seven quiet harbours at dusk";

/// A directory of its own on a real disk, and the program.
pub struct Ground {
    /// What the program is run under: a tracer and its arguments; usually nothing.
    pub under: Vec<String>,
    directory: TempDir,
    program: PathBuf,
}

impl Ground {
    pub fn new() -> Self {
        let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let program = directory.path().join("countersign");
        // Its own name for the program: a build that goes on meanwhile swaps nothing.
        fs::hard_link(env!("CARGO_BIN_EXE_countersign"), &program).unwrap();
        Self { under: Vec::new(), directory, program }
    }

    /// On a disk of the caller's, where a link to the program cannot be made.
    pub fn within(folder: &Path) -> Self {
        let directory = TempDir::new_in(folder).unwrap();
        let program = PathBuf::from(env!("CARGO_BIN_EXE_countersign"));
        Self { under: Vec::new(), directory, program }
    }

    /// A path on this ground.
    pub fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The data directory.
    pub fn data(&self) -> String {
        self.at("data").display().to_string()
    }

    /// The program with arguments, on this ground, knowing nothing of our environment.
    pub fn program(&self, arguments: &[&str]) -> Command {
        let program = self.program.display().to_string();
        let mut words = self.under.iter().chain([&program]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words);
        command.args(arguments).current_dir(self.directory.path()).env_clear();
        command.env("RUST_BACKTRACE", "1");
        // However slow the machine is, what is asked in these tests is answered.
        command.env("COUNTERSIGN_LIMITS_LAG_MS", "600000");
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Said {
        Said::of(self.program(arguments).stdin(Stdio::null()).output().unwrap())
    }

    /// Founds the example organisation; the first administrator's ticket.
    pub fn found(&self) -> String {
        let [policies, schema, entities] =
            ["policies/cloud", "schemas/cloud.cedarschema", "schemas/cloud.entities.json"]
                .map(shipped);
        let founded = self.run(&[
            "init",
            "--data",
            &self.data(),
            "--policies",
            &policies,
            "--schema",
            &schema,
            "--entities",
            &entities,
            "--format",
            "json",
        ]);
        let founded = founded.done().json();
        fs::write(self.at("log.vkey"), text(&founded, "verifier_key")).unwrap();
        text(&founded, "ticket")
    }

    /// Makes a service token in the stopped directory.
    pub fn token(&self, scopes: &str) -> String {
        let data = self.data();
        let made =
            self.run(&["token", "create", "--scope", scopes, "--data", &data, "--format", "json"]);
        text(&made.done().json(), "token")
    }

    /// Serves the data directory on a free port, and waits until it listens.
    pub fn serve(&self, more: &[&str]) -> Server {
        self.begin_to_serve(more).listening()
    }

    /// Serves the data directory, and does not wait.
    pub fn begin_to_serve(&self, more: &[&str]) -> Starting {
        let data = self.data();
        let common = ["serve", "--data", &data, "--listen", "127.0.0.1:0", "--format", "json"];
        let arguments = [&common, more].concat();
        let log = File::options().create(true).append(true).open(self.at("serve.log")).unwrap();
        let mut command = self.program(&arguments);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn();
        Starting(Process(child.unwrap()))
    }

    /// What all servers on this ground have logged.
    pub fn server_log(&self) -> String {
        fs::read_to_string(self.at("serve.log")).unwrap_or_default()
    }
}

/// Where a program of this machine is; if it is not there, that is said.
pub fn found_program(name: &str) -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut places = path.split(':').map(|place| format!("{place}/{name}"));
    let found = places.find(|place| Path::new(place).is_file());
    if found.is_none() {
        println!("SKIPPED: there is no `{name}` on this machine");
    }
    found
}

/// A file or folder that ships with Countersign.
pub fn shipped(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).display().to_string()
}

/// A member of an object that is text.
pub fn text(json: &Value, name: &str) -> String {
    json[name].as_str().unwrap_or_else(|| panic!("no text `{name}` in {json}")).to_owned()
}

/// What the program said, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The same, if the program ended with this exit code.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// The same, if all went well.
    #[track_caller]
    pub fn done(self) -> Self {
        self.ended(0)
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// A process of ours; it does not outlive the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// A server that may not listen yet.
pub struct Starting(Process);

impl Starting {
    /// Waits until it says where it listens.
    pub fn listening(mut self) -> Server {
        let mut out = BufReader::new(self.0.0.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let said: Value =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("the server does not listen"));
        Server { url: text(&said, "listening"), process: self.0 }
    }

    /// Kills it wherever it is (SIGKILL).
    pub fn kill(mut self) {
        self.0.0.kill().unwrap();
    }
}

/// A server that listens.
pub struct Server {
    pub url: String,
    process: Process,
}

impl Server {
    /// Kills it (SIGKILL): it can do nothing more, not even say so.
    pub fn kill(mut self) {
        self.process.0.kill().unwrap();
    }

    /// Asks it to end (SIGTERM); returns at once.
    pub fn terminate(&self) {
        let id = self.process.0.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id]).status().unwrap();
        assert!(sent.success(), "no such process as {id}");
    }

    /// Waits until it has ended; its exit code.
    pub fn ended(mut self) -> Option<i32> {
        self.process.0.wait().unwrap().code()
    }
}

/// Reads a seed as authenticator apps do: base32 without padding (RFC 4648 §6).
pub fn seed(secret: &str) -> TotpSeed {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String =
        secret.chars().map(|c| format!("{:05b}", alphabet.find(c).unwrap())).collect();
    let byte = |bits: &[u8]| u8::from_str_radix(std::str::from_utf8(bits).unwrap(), 2).unwrap();
    let bytes: Vec<u8> = bits.as_bytes().chunks_exact(8).map(byte).collect();
    TotpSeed::try_from(bytes.as_slice()).unwrap()
}
