//! The real binary, as an operator runs it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_countersign");

/// Founds a node with the example organisation; returns the first ticket.
pub fn init(data: &Path) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut init = Command::new(BINARY);
    init.args(["init", "--format", "json", "--data"]).arg(data);
    init.arg("--policies").arg(root.join("policies/cloud"));
    init.arg("--schema").arg(root.join("schemas/cloud.cedarschema"));
    init.arg("--entities").arg(root.join("schemas/cloud.entities.json"));
    let made = init.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let told: Value = serde_json::from_slice(&made.stdout).unwrap();
    told["ticket"].as_str().unwrap().to_owned()
}

/// A node that serves, as talkative as it can be made.
pub struct Process {
    pub base: String,
    child: Child,
    out: BufReader<ChildStdout>,
    said: String,
    err: PathBuf,
}

impl Process {
    pub fn serve(data: &Path) -> Self {
        // Not within the data directory: that is searched on its own.
        let err = data.with_extension("stderr");
        let mut serve = Command::new(BINARY);
        serve.args(["serve", "--listen", "127.0.0.1:0", "--set", "log_level=trace", "--data"]);
        serve.arg(data).env("RUST_LOG", "trace").stdin(Stdio::null());
        serve.stdout(Stdio::piped()).stderr(File::create(&err).unwrap());
        let mut child = serve.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        out.read_line(&mut said).unwrap();
        let base = said.trim_end().strip_prefix("listening on ");
        let heard = || fs::read_to_string(&err).unwrap();
        let base = base.unwrap_or_else(|| panic!("{said}{}", heard())).to_owned();
        Self { base, child, out, said, err }
    }

    /// Has it drain and end; returns all that it has said.
    pub fn stop(mut self) -> String {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.out.read_to_string(&mut self.said).unwrap();
        assert!(self.child.wait().unwrap().success());
        std::mem::take(&mut self.said) + &fs::read_to_string(&self.err).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing is left running if the story fails half-way.
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}
