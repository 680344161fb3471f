//! What a verification has found, for programs and for people.

use std::fmt;

use serde::Serialize;

use super::Finding;
use super::report::Kept;
use crate::model::Moment;

/// A checkpoint that somebody kept, held against the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waypoint {
    /// What people call it, such as its file.
    pub name: String,
    /// How many entries it is for; none if it is not believed.
    pub size: Option<u64>,
    /// True if the log still begins with exactly those entries.
    pub holds: bool,
    /// True if the auditor kept it; false if it lay beside the log, where whoever can roll
    /// back one can roll back both.
    pub given: bool,
}

/// A witness's line on the newest checkpoint, which holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cosignature {
    /// The verifier key that it holds under.
    pub witness: String,
    /// The time that the witness states.
    pub at: Moment,
}

/// The outcome of a verification: JSON by its members, or by `Display` several lines
/// without a final line break.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verified {
    /// True if nothing is wrong.
    pub clean: bool,
    /// The log's name, as its newest checkpoint says.
    pub origin: Option<String>,
    /// How many entries the newest checkpoint is for.
    pub size: Option<u64>,
    /// Its Merkle root, in base64.
    pub root: Option<String>,
    /// The verifier keys that its signatures hold under.
    pub signed_by: Vec<String>,
    /// The lines of those witnesses asked for that have cosigned it.
    pub witnessed_by: Vec<Cosignature>,
    /// Its other signature lines, as `NAME+ID`: no key was given to check them with.
    pub unchecked: Vec<String>,
    /// True if the keys came from the auditor; false if the log itself named them.
    pub keys_given: bool,
    /// Entries read and hashed.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Tiles compared.
    pub tiles: u64,
    /// Sealed secrets held against what the log names; none where the vault is not at hand.
    pub secrets: Option<u64>,
    /// How often the log's operator has gone on without entries that were lost.
    pub losses_accepted: u64,
    /// The first entry's time.
    pub from: Option<Moment>,
    /// The last entry's time.
    pub to: Option<Moment>,
    /// The checkpoints kept from before.
    pub kept: Vec<Waypoint>,
    /// What is wrong, where.
    pub findings: Kept<Finding>,
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Verify: {}", self.outcome())?;
        writeln!(f)?;
        line(f, "log", self.origin.as_deref().unwrap_or("of no name"))?;
        line(f, "entries", self.read())?;
        if let Some((from, to)) = self.from.zip(self.to) {
            line(f, "written from", from)?;
            line(f, "to", to)?;
        }
        line(f, "tiles", format!("{} compared with the entries", self.tiles))?;
        if let Some(secrets) = self.secrets {
            line(f, "sealed secrets", format!("{secrets} held against the log"))?;
        }
        if let Some(root) = &self.root {
            line(f, "root", root)?;
        }
        for key in &self.signed_by {
            line(f, "signed by", key)?;
        }
        for Cosignature { witness, at } in &self.witnessed_by {
            line(f, "cosigned by", format!("{witness}, at {at}"))?;
        }
        for other in &self.unchecked {
            line(f, "not checked", format!("the line of `{other}`, whose key was not given"))?;
        }
        self.reach(f)?;
        self.found(f)
    }
}

impl Verified {
    fn outcome(&self) -> &'static str {
        match (self.clean, self.keys_given) {
            (true, true) => "every entry is the one that was signed",
            (true, false) => "nothing is wrong as far as the log's own keys tell",
            (false, _) => "NOT THE LOG THAT WAS SIGNED: see below",
        }
    }

    fn read(&self) -> String {
        let kib = self.bytes.div_ceil(1_024);
        match self.size {
            Some(size) => format!("{} of {size} read and hashed, {kib} KiB", self.entries),
            None => format!("{} read and hashed, {kib} KiB", self.entries),
        }
    }

    /// How far the word of the log's keeper had to be taken.
    fn reach(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for kept in &self.kept {
            let size = kept.size.map_or_else(String::new, |size| format!(" ({size} entries)"));
            let holds = if kept.holds { "is a beginning of this log" } else { "is NOT" };
            let beside = if kept.given { "" } else { ", beside the log" };
            line(f, "held against", format!("{}{size}{beside}: {holds}", kept.name))?;
        }
        if self.losses_accepted > 0 {
            line(f, "losses", format!("{} accepted by the operator", self.losses_accepted))?;
        }
        let older_given = self.kept.iter().any(|kept| kept.given);
        if self.keys_given && older_given {
            return Ok(());
        }
        writeln!(f)?;
        if !self.keys_given {
            writeln!(
                f,
                "  The keys are those that the log itself names, which proves nothing about"
            )?;
            writeln!(f, "  who wrote it: give --key with the verifier key you were handed.")?;
        }
        if !older_given {
            writeln!(
                f,
                "  No older checkpoint was given: a log that was rolled back whole, with its"
            )?;
            writeln!(
                f,
                "  newest checkpoint, would look the same. Keep one, and give it as --since."
            )?;
        }
        Ok(())
    }

    fn found(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.findings.is_empty() {
            return write!(f, "\nNothing was found that is wrong.");
        }
        write!(f, "\nWhat is wrong")?;
        for finding in &self.findings.first {
            write!(f, "\n  {:<24}entry {}: {}", finding.code, finding.index, finding.what)?;
        }
        match self.findings.total.saturating_sub(self.findings.first.len() as u64) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "  {name:<16}{value}")
}
