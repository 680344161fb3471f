//! `countersign proof`: a receipt for one decision, and what it proves.

use std::fs;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::console::{Console, Format, Telling};
use super::failure::{Exit, Failure};
use super::page::{Ink, Page, second};
use super::stored;
use super::target::{Target, TargetFlags};
use super::tiled::{Stopped, Tiled as _};
use super::verify::keys;
use crate::audit::describe;
use crate::event::{Envelope, decode};
use crate::event_store::{ReceiptError, receipt};
use crate::model::{Index, Moment};
use crate::tlog::{KeyKind, TlogProof, VerifierKey};

/// Take away a receipt for one decision, or check one
///
/// The receipt is a C2SP tlog-proof: the entry, its way to the root of the Merkle tree, and
/// a signed checkpoint with that root. Whoever has it and the log's verifier key can check
/// it offline, with this program or another.
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:\n  \
    countersign proof 01a2f6c8-5d3e-7b41-9c0a-2f6e8d1b3a57 --data ./data --out it.tlog-proof\n  \
    countersign proof check it.tlog-proof --key log.vkey")]
pub(super) struct Proof {
    #[command(subcommand)]
    check: Option<Command>,
    /// The decision's id, as the header `Countersign-Decision` or `log` tells it
    #[arg(value_name = "DECISION", required = true)]
    decision: Option<Uuid>,
    /// Write it to a file instead
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    target: TargetFlags,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Check(Check),
}

/// Check a receipt, offline
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  countersign proof check it.tlog-proof --key log.vkey")]
struct Check {
    /// The receipt
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Verifier key of the log, or a file with one a line; may be repeated
    #[arg(long = "key", value_name = "KEY|FILE", required = true)]
    keys: Vec<String>,
    /// Verifier key of a witness that must have cosigned, or a file; may be repeated
    #[arg(long = "witness", value_name = "KEY|FILE")]
    witnesses: Vec<String>,
}

impl Proof {
    /// Makes or checks a receipt.
    ///
    /// # Errors
    /// [`Failure`]: there is no such decision, or the receipt does not prove anything.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        match (&self.check, self.decision) {
            (Some(Command::Check(check)), _) => console.tell(&check.proved()?)?,
            (None, Some(decision)) => {
                let proof = self.taken(decision)?;
                match (&self.out, console.format()) {
                    (Some(file), _) => fs::write(file, &proof).map_err(|error| {
                        let what = format!("cannot write `{}`: {error}", file.display());
                        Failure::could_not_run(what)
                    })?,
                    (None, Format::Text) => console.raw(proof.trim_end_matches('\n'))?,
                    (None, Format::Json) => console.raw(&serde_json::json!(proof).to_string())?,
                }
            }
            (None, None) => return Err(Failure::usage("name the decision by its id")),
        }
        Ok(Exit::Fine)
    }

    fn taken(&self, decision: Uuid) -> Result<String, Failure> {
        match self.target.target()? {
            Target::Server(client) => {
                let bytes = client.file(&format!("/audit/v1/decisions/{decision}/proof"))?;
                let bytes = bytes.ok_or_else(|| unknown(decision))?;
                String::from_utf8(bytes).map_err(Failure::could_not_run)
            }
            Target::Data(folder) => {
                let store = folder.store()?;
                let found = stored::decision(&store, decision)?;
                let index = found.ok_or_else(|| unknown(decision))?.index;
                let outside = folder.checkpoint().ok().map(|(_, note)| note);
                let note = Stopped::new(&store, outside).checkpoint()?;
                Ok(receipt(&store, index, &note)?.to_string())
            }
        }
    }
}

impl From<ReceiptError> for Failure {
    fn from(error: ReceiptError) -> Self {
        match error {
            ReceiptError::Store(error) => error.into(),
            // The log is whole; it is the receipt that cannot be made.
            ReceiptError::NotReached(_) => Self::refused("not_signed", error),
            ReceiptError::Proof(_) => Self::refused("no_receipt", error),
            ReceiptError::Tree(_) => Self::refused("log_broken", error),
        }
    }
}

fn unknown(decision: Uuid) -> Failure {
    Failure::refused("not_found", format!("the log holds no decision {decision}"))
}

impl Check {
    fn proved(&self) -> Result<Proved, Failure> {
        let name = self.file.display();
        let text = fs::read_to_string(&self.file)
            .map_err(|error| Failure::usage(format!("cannot read `{name}`: {error}")))?;
        let wrong = |error: &dyn std::fmt::Display| {
            Failure::refused("not_proved", format!("`{name}` proves nothing: {error}"))
        };
        let proof: TlogProof = text.parse().map_err(|error| wrong(&error))?;
        let mut trusted = keys(&self.keys, KeyKind::Ed25519)?;
        let witnesses = keys(&self.witnesses, KeyKind::CosignatureV1)?;
        let origin = trusted.first().map(|key| key.name().to_string()).unwrap_or_default();
        trusted.extend(witnesses.iter().cloned());
        let entry = proof.extra().ok_or_else(|| wrong(&"it does not carry its entry"))?;
        let signed = proof.verify(entry, &trusted, &origin).map_err(|error| wrong(&error))?;
        let cosigned = |witness: &VerifierKey| signed.signers.iter().any(|by| by.key == witness);
        if let Some(missing) = witnesses.iter().find(|witness| !cosigned(witness)) {
            return Err(wrong(&format!("witness `{}` has not cosigned it", missing.name())));
        }
        let envelope = decode(Index(proof.index()), entry).map_err(|error| wrong(&error))?;
        let raw = String::from_utf8(entry.to_vec()).map_err(|error| wrong(&error))?;
        Ok(Proved {
            origin,
            index: envelope.index,
            time: envelope.time,
            size: signed.checkpoint.size(),
            signed_by: signed.signers.iter().map(|by| by.key.to_string()).collect(),
            entry: RawValue::from_string(raw).map_err(|error| wrong(&error))?,
            envelope,
        })
    }
}

/// What a receipt proves.
#[derive(Serialize)]
struct Proved {
    origin: String,
    index: Index,
    time: Moment,
    size: u64,
    signed_by: Vec<String>,
    entry: Box<RawValue>,
    #[serde(skip)]
    envelope: Envelope,
}

impl Telling for Proved {
    fn tell(&self, page: &mut Page) {
        page.inked("Proved: this entry is in the log, as it is here.", Ink::Good);
        page.blank();
        page.field("log", &self.origin);
        page.field("entry", &format!("{} of {}", self.index, self.size));
        page.field("written", &second(self.time));
        page.field("by", &self.envelope.actor.to_string());
        page.field("says", &describe(&self.envelope));
        for key in &self.signed_by {
            page.field("signed by", key);
        }
    }
}
