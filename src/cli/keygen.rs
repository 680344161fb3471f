//! `countersign keygen`: the keys that sign the log.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Verb;
use super::console::{Console, Telling};
use super::failure::{Exit, Failure};
use super::page::{Ink, Page};
use super::target::{Target, TargetFlags};
use crate::event::SigningKeyAdopted;
use crate::model::Index;
use crate::pdp::Administration;

/// Show the log's verifier keys, or let one signing key follow another
///
/// Without a flag a new key is made and adopted by the log: from then on checkpoints carry
/// two signatures, the old key's and the new one's. Hand the new verifier key to those
/// who verify; once they all have it, retire the old key with --retire.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign keygen --show --data ./data\n  \
    countersign keygen --server https://pdp.example.com\n  \
    countersign keygen --retire 01a2f6c8-5d3e-7b41-9c0a-2f6e8d1b3a57 --data ./data")]
pub(super) struct Keygen {
    /// Only show the verifier keys
    #[arg(long, conflicts_with = "retire")]
    show: bool,
    /// Let this key sign no more, by its id as --show tells it
    #[arg(long, value_name = "ID")]
    retire: Option<Uuid>,
    #[command(flatten)]
    target: TargetFlags,
}

impl Keygen {
    /// Does what was asked.
    ///
    /// # Errors
    /// [`Failure`]: a refusal, or why it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        match self.retire {
            _ if self.show => console.tell(&self.keys()?)?,
            Some(key) => console.tell(&self.retired(key)?)?,
            None => console.tell(&self.adopted()?)?,
        }
        Ok(Exit::Fine)
    }

    fn keys(&self) -> Result<Shown, Failure> {
        match self.target.readable()? {
            Target::Server(client) => client.get("/log/v1/keys", &[]),
            Target::Data(folder) => {
                let world = folder.world()?;
                let signing = &world.signing;
                let keys = signing.iter().map(|key| Signing {
                    verifier_key: key.verifier_key.to_string(),
                    credential: key.credential,
                    adopted: key.adopted,
                    retired: key.retired,
                });
                let witness = world.witnessing.key().map(|key| Cosigning {
                    verifier_key: key.verifier_key.to_string(),
                    credential: key.credential,
                    adopted: key.adopted,
                });
                let origin = signing.origin().map(str::to_owned);
                Ok(Shown { origin, keys: keys.collect(), witness })
            }
        }
    }

    fn adopted(&self) -> Result<Adopted, Failure> {
        let adopted: SigningKeyAdopted = match self.target.target()? {
            Target::Server(client) => client.send(Verb::Post, "/log/v1/keys", &json!({}))?,
            Target::Data(folder) => {
                let operator = folder.operator()?;
                operator.permit(Administration::ManageKeys)?;
                operator.adopt_signing_key()?
            }
        };
        let (verifier_key, credential) = (adopted.verifier_key.to_string(), adopted.credential);
        Ok(Adopted { verifier_key, credential })
    }

    fn retired(&self, key: Uuid) -> Result<Retired, Failure> {
        match self.target.target()? {
            Target::Server(client) => {
                let path = format!("/log/v1/keys/{key}");
                client.send::<Value>(Verb::Delete, &path, &Value::Null)?;
            }
            Target::Data(folder) => {
                let operator = folder.operator()?;
                operator.permit(Administration::ManageKeys)?;
                operator.retire_signing_key(key)?;
            }
        }
        Ok(Retired { retired: key })
    }
}

/// The log's verifier keys, oldest first.
#[derive(Serialize, Deserialize)]
struct Shown {
    origin: Option<String>,
    keys: Vec<Signing>,
    /// The key that it cosigns other logs by.
    #[serde(default)]
    witness: Option<Cosigning>,
}

#[derive(Serialize, Deserialize)]
struct Cosigning {
    verifier_key: String,
    credential: Uuid,
    adopted: Index,
}

#[derive(Serialize, Deserialize)]
struct Signing {
    verifier_key: String,
    credential: Uuid,
    adopted: Index,
    retired: Option<Index>,
}

impl Telling for Shown {
    fn tell(&self, page: &mut Page) {
        page.line(&format!("Log {}", self.origin.as_deref().unwrap_or("that was never signed")));
        for key in &self.keys {
            page.blank();
            page.line(&format!("    {}", key.verifier_key));
            let since = format!("id {}, since entry {}", key.credential, key.adopted);
            match key.retired {
                Some(at) => page.inked(&format!("    {since}, retired by entry {at}"), Ink::Faint),
                None => page.line(&format!("    {since}")),
            }
        }
        if let Some(key) = &self.witness {
            page.blank();
            page.line("As a witness of other logs");
            page.blank();
            page.line(&format!("    {}", key.verifier_key));
            page.line(&format!("    id {}, since entry {}", key.credential, key.adopted));
        }
    }
}

#[derive(Serialize)]
struct Adopted {
    verifier_key: String,
    credential: Uuid,
}

impl Telling for Adopted {
    fn tell(&self, page: &mut Page) {
        page.paragraph("The log has adopted another key. Hand this to those who verify:");
        page.blank();
        page.inked(&format!("    {}", self.verifier_key), Ink::Strong);
        page.blank();
        page.paragraph("Once they have it, retire the older key; `keygen --show` tells its id.");
    }
}

#[derive(Serialize)]
struct Retired {
    retired: Uuid,
}

impl Telling for Retired {
    fn tell(&self, page: &mut Page) {
        page.line(&format!("Key {} signs no more.", self.retired));
    }
}
