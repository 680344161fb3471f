//! A draft that a report is to suppose in force.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::super::authored::{self, NamedText};
use super::super::failure::{Failure, FaultTold};
use super::super::publication::{placed, read_files};
use crate::audit::Ground;
use crate::model::{Label, SetKind};
use crate::pap::Draft;

/// Policies that are not in force.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "A draft")]
pub(super) struct DraftFlags {
    /// Suppose these policies in force: files, or folders of *.cedar files; what is
    /// otherwise than under those in force is told
    #[arg(long, value_name = "DIR|FILE")]
    policies: Vec<PathBuf>,
    /// Suppose this schema in force
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
}

/// A draft as its author keeps it.
pub(super) struct Drafted {
    files: Vec<NamedText>,
    schema: Option<String>,
    flags: DraftFlags,
}

impl DraftFlags {
    /// Reads the draft; nothing if none is named.
    ///
    /// # Errors
    /// [`Failure`]: it cannot be read.
    pub(super) fn read(&self) -> Result<Option<Drafted>, Failure> {
        if self.policies.is_empty() && self.schema.is_none() {
            return Ok(None);
        }
        let files = match self.policies.as_slice() {
            [] => Vec::new(),
            some => authored::policies(some)?,
        };
        let schema = self.schema.as_deref().map(authored::text).transpose()?;
        Ok(Some(Drafted { files, schema, flags: self.clone() }))
    }
}

impl Drafted {
    /// The body that tells a server.
    pub(super) fn body(&self) -> Value {
        let files = self.files.iter().map(|(name, text)| json!({"name": name, "text": text}));
        let mut body = Map::from_iter([("files".to_owned(), files.collect())]);
        body.extend(self.schema.clone().map(|text| ("schema".to_owned(), Value::String(text))));
        Value::Object(body)
    }

    /// The same World with this draft in force.
    ///
    /// # Errors
    /// Refused, with each fault at its place in the author's files.
    pub(super) fn within(&self, ground: Ground) -> Result<Ground, Failure> {
        let policies = if self.files.is_empty() { None } else { Some(read_files(&self.files)?) };
        let (set, message) = (SetKind::Application, Label::default());
        let draft = Draft { set, schema: self.schema.clone(), policies, message };
        ground.supposing(&draft).map_err(|refusal| {
            let faults: Vec<_> = refusal.faults().iter().map(FaultTold::from).collect();
            self.placing(Failure::refused(refusal.code(), refusal).with_faults(faults))
        })
    }

    /// A refusal with its faults at their places in the author's files.
    pub(super) fn placing(&self, refusal: Failure) -> Failure {
        refusal.placing(|fault| placed(fault, &self.files, self.flags.schema.as_deref()))
    }
}
