//! A version as an author keeps it in files: policies, a schema, tests.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::super::authored::{self, NamedText};
use super::super::failure::Failure;
use super::super::publication::{placed, read_files};
use crate::model::Label;
use crate::pap::NewVersion;

/// Where the files are.
#[derive(clap::Args, Debug)]
pub(super) struct Files {
    /// Cedar policies: files, or folders of *.cedar files
    #[arg(value_name = "DIR|FILE", required = true)]
    policies: Vec<PathBuf>,
    /// Their schema [default: the only *.cedarschema in DIR, else the one in force]
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Their tests [default: every *.cedartests.json in DIR]
    #[arg(long, value_name = "FILE")]
    tests: Vec<PathBuf>,
}

/// What is in them.
pub(super) struct Written {
    files: Vec<NamedText>,
    schema: Option<(PathBuf, String)>,
    tests: Option<String>,
}

impl Files {
    /// Reads them.
    ///
    /// # Errors
    /// Could not run, for what cannot be read; usage, for a folder without policies, or with
    /// several schemas.
    pub(super) fn read(&self) -> Result<Written, Failure> {
        let schema = match &self.schema {
            Some(path) => Some(path.clone()),
            None => self.only_schema()?,
        };
        let schema = match schema {
            Some(path) => Some((path.clone(), authored::text(&path)?)),
            None => None,
        };
        let tests = if self.tests.is_empty() {
            self.beside("cedartests.json")?
        } else {
            self.tests.clone()
        };
        Ok(Written { files: authored::policies(&self.policies)?, schema, tests: together(&tests)? })
    }

    fn only_schema(&self) -> Result<Option<PathBuf>, Failure> {
        match self.beside("cedarschema")?.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one.clone())),
            several => Err(Failure::usage(format!(
                "there are {} schemas beside the policies: say which by --schema FILE",
                several.len()
            ))),
        }
    }

    /// The files in the folders whose names end so, in order.
    fn beside(&self, ending: &str) -> Result<Vec<PathBuf>, Failure> {
        let mut found = Vec::new();
        for folder in self.policies.iter().filter(|path| path.is_dir()) {
            let unread = |error: std::io::Error| {
                Failure::could_not_run(format!("cannot read `{}`: {error}", folder.display()))
            };
            for entry in std::fs::read_dir(folder).map_err(unread)? {
                let path = entry.map_err(unread)?.path();
                if path.to_string_lossy().ends_with(&format!(".{ending}")) {
                    found.push(path);
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

/// Several files of tests as one: each is a list.
fn together(paths: &[PathBuf]) -> Result<Option<String>, Failure> {
    match paths {
        [] => Ok(None),
        [one] => authored::text(one).map(Some),
        several => {
            let mut all = Vec::new();
            for path in several {
                let list: Result<Vec<Value>, _> = serde_json::from_str(&authored::text(path)?);
                all.extend(list.map_err(|_| no_list(path))?);
            }
            Ok(Some(Value::Array(all).to_string()))
        }
    }
}

fn no_list(path: &Path) -> Failure {
    Failure::usage(format!("`{}` holds no tests: they are a list in JSON", path.display()))
}

impl Written {
    /// The members of a request that say it.
    pub(super) fn body(&self, message: &Label) -> Map<String, Value> {
        let sent = self.files.iter().map(|(name, text)| json!({"name": name, "text": text}));
        let mut body = Map::from_iter([
            ("files".to_owned(), sent.collect()),
            ("message".to_owned(), json!(message)),
        ]);
        body.extend(self.schema.as_ref().map(|(_, text)| ("schema".to_owned(), json!(text))));
        body.extend(self.tests.as_ref().map(|text| ("tests".to_owned(), json!(text))));
        body
    }

    /// The same, read.
    ///
    /// # Errors
    /// Refused, with each fault.
    pub(super) fn version(&self, message: &Label) -> Result<NewVersion, Failure> {
        Ok(NewVersion {
            schema: self.schema.as_ref().map(|(_, text)| text.clone()),
            policies: Some(read_files(&self.files)?),
            tests: self.tests.clone(),
            message: message.clone(),
        })
    }

    /// A refusal with each fault at its place in these files.
    pub(super) fn placing(&self, refusal: Failure) -> Failure {
        let schema = self.schema.as_ref().map(|(path, _)| path.as_path());
        refusal.placing(|fault| placed(fault, &self.files, schema))
    }
}
