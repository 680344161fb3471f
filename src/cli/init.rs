//! `countersign init`: the first entries of a new log.

use std::path::PathBuf;

use serde::Serialize;
use uuid::Uuid;

use super::authored;
use super::console::{Console, Telling};
use super::failure::{Exit, Failure};
use super::folder::{runtime, surroundings};
use super::page::{Ink, Page};
use super::publication::placed;
use crate::model::{Moment, SecretToken, Username};
use crate::node::{self, Founded, Founding};
use crate::settings::{Flags, Settings};

/// Create a data directory and its key, with the first policies
///
/// The key is written outside the data directory, readable by its owner only. If
/// anything in a policy, the schema or an entity is wrong, nothing is created.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign init --data ./data --policies policies/cloud \\\n    \
    --schema schemas/cloud.cedarschema --entities schemas/cloud.entities.json")]
pub(super) struct Init {
    /// Directory to create, or an empty one [default: `COUNTERSIGN_DATA`]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Cedar policies: files, or folders of *.cedar files and a links.json
    #[arg(long, value_name = "DIR|FILE", num_args = 1.., requires = "schema")]
    policies: Vec<PathBuf>,
    /// Cedar schema that the policies are validated against
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Entities, as JSON
    #[arg(long, value_name = "FILE", requires = "schema")]
    entities: Option<PathBuf>,
    /// Login name of the first administrator
    #[arg(long, value_name = "NAME", default_value = "admin")]
    administrator: Username,
    /// The log's name in its signed checkpoints, best the URL it will be served under
    /// without the scheme [default: countersign/ and the log's id]
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
    /// Key file to create, outside DIR [default: DIR.key]
    #[arg(long, value_name = "FILE")]
    key_file: Option<String>,
    /// Settings file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Any setting by its name, such as `decisions.user_type=Person`; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
}

impl Init {
    /// Founds the log and tells the first administrator's ticket.
    ///
    /// # Errors
    /// [`Failure`] with each fault; nothing was created then.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let settings = Settings::load(&Flags {
            data: self.data.clone(),
            config: self.config.clone(),
            key_file: self.key_file.clone(),
            set: self.set.clone(),
            ..Flags::default()
        })?;
        let founding = Founding {
            administrator: self.administrator.clone(),
            schema: self.schema.as_deref().map(authored::text).transpose()?,
            policies: authored::policies(&self.policies)?,
            entities: self
                .entities
                .as_deref()
                .map(authored::entities)
                .transpose()?
                .unwrap_or_default(),
            origin: self.origin.clone(),
        };
        let surroundings = surroundings()?;
        let files = founding.policies.clone();
        let founded = runtime()?.block_on(node::found(&settings, &surroundings, founding));
        let founded = founded.map_err(|refusal| {
            Failure::from(refusal).placing(|fault| placed(fault, &files, self.schema.as_deref()))
        })?;
        console.tell(&Told::of(founded, &self.administrator, &settings))?;
        Ok(Exit::Fine)
    }
}

/// What the founder is told, once.
#[derive(Serialize)]
struct Told {
    data: String,
    key_file: String,
    log: Uuid,
    entries: u64,
    administrator: Username,
    verifier_key: String,
    ticket: String,
    expires_at: Moment,
    #[serde(skip)]
    url: String,
}

impl Told {
    fn of(founded: Founded, administrator: &Username, settings: &Settings) -> Self {
        let Founded { log, entries, verifier_key, ticket, expires_at } = founded;
        Self {
            data: settings.data.display().to_string(),
            key_file: settings.key_file.display().to_string(),
            log,
            entries,
            administrator: administrator.clone(),
            verifier_key: verifier_key.to_string(),
            ticket: SecretToken::expose(&ticket).to_owned(),
            expires_at,
            url: format!("http://{}", settings.listen),
        }
    }
}

impl Telling for Told {
    fn tell(&self, page: &mut Page) {
        let Self { data, key_file, entries, administrator, expires_at, url, .. } = self;
        let verifier_key = &self.verifier_key;
        page.paragraph(&format!(
            "A log of {entries} entries is in `{data}`, its key in `{key_file}`."
        ));
        page.paragraph(
            "Keep the key away from the directory and its backups: without it they hold no secret.",
        );
        page.blank();
        page.paragraph(
            "Every group of entries is signed. Hand this verifier key to whoever is to audit the \
             log; with it, nobody has to take the log's own word.",
        );
        page.blank();
        page.line(&format!("    {verifier_key}"));
        page.blank();
        page.paragraph(&format!(
            "The first administrator, `{administrator}`, sets a password with this ticket. It is \
             shown only now, works once, and until {expires_at}."
        ));
        page.blank();
        page.inked(&format!("    {}", self.ticket), Ink::Strong);
        page.blank();
        page.line("Next");
        page.line(&format!("    countersign serve --data {data}"));
        page.line(&format!("    countersign enrol --server {url}"));
        page.line(&format!(
            "    countersign login --server {url} --username {administrator} --set-up-mfa"
        ));
    }
}
