//! `countersign token`: the tokens that services hold.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::{Client, Verb, encoded};
use super::console::{Console, Telling};
use super::failure::{Exit, Failure};
use super::folder::Operator;
use super::page::{Ink, Page, second};
use super::table::{Column, Table};
use super::target::{Target, TargetFlags};
use crate::authn::services::{self, Maker, NewService};
use crate::entropy::{draw, uuid_v7};
use crate::event::SourceBinding;
use crate::model::{Aal, EntityType, Label, Moment, Scope, Scopes, SecretToken};
use crate::pdp::Administration;
use crate::projection::{Service, World};

/// Tokens for applications, identity providers, auditors and pipelines
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign token create --scope evaluate --label photos --data ./data\n  \
    countersign token list --server https://pdp.example.com")]
pub(super) struct Token {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Create(Create),
    List(List),
    Revoke(Revoke),
}

/// Make a token and show it, this once
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign token create --scope evaluate,search --label photos --data ./data\n  \
    countersign token create --scope ingest --source https://idp.example.com \\\n    \
    --user-type User --max-aal 2 --data ./data")]
struct Create {
    /// What it may be used for: evaluate, search, ingest, audit, publish, admin
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', required = true)]
    scope: Vec<Scope>,
    /// What people call it
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    label: Label,
    /// For ingest: the CloudEvents source it reports for
    #[arg(long, value_name = "URI", requires_all = ["user_type", "max_aal"])]
    source: Option<String>,
    /// For ingest: the entity type of that source's users
    #[arg(long, value_name = "TYPE", requires = "source", value_parser = EntityType::new)]
    user_type: Option<EntityType>,
    /// For ingest: the highest assurance its reports can give, 1 to 3
    #[arg(long, value_name = "LEVEL", requires = "source", value_parser = level)]
    max_aal: Option<Aal>,
    #[command(flatten)]
    target: TargetFlags,
}

fn level(text: &str) -> Result<Aal, String> {
    let number: u8 = text.parse().map_err(|_| "an assurance level is 1, 2 or 3".to_owned())?;
    Aal::try_from(number)
}

/// Show who holds tokens, never the tokens
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  countersign token list --data ./data")]
struct List {
    #[command(flatten)]
    target: TargetFlags,
}

/// Take a token out of use, for good
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign token revoke 01a2f6c8-5d3e-7b41-9c0a-2f6e8d1b3a57 --data ./data")]
struct Revoke {
    /// Its id, as `token list` shows it
    id: Uuid,
    #[command(flatten)]
    target: TargetFlags,
}

impl Token {
    /// Does what was asked.
    ///
    /// # Errors
    /// [`Failure`]: a refusal, or why it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        match &self.command {
            Command::Create(create) => console.tell(&create.made()?)?,
            Command::List(list) => console.tell(&list.tokens()?)?,
            Command::Revoke(revoke) => console.tell(&revoke.done()?)?,
        }
        Ok(Exit::Fine)
    }
}

impl Create {
    fn made(&self) -> Result<NewToken, Failure> {
        match self.target.target()? {
            Target::Server(client) => client.send(Verb::Post, "/tokens/v1", &self.body()),
            Target::Data(folder) => self.by(&folder.operator()?),
        }
    }

    fn binding(&self) -> Option<SourceBinding> {
        let (source, user_type) = (self.source.clone()?, self.user_type.clone()?);
        Some(SourceBinding { source, user_type, max_aal: self.max_aal? })
    }

    fn body(&self) -> Value {
        let mut body = json!({"scopes": self.scope, "label": self.label});
        if let (Some(binding), Some(members)) = (self.binding(), body.as_object_mut()) {
            members.insert("binding".to_owned(), json!(binding));
        }
        body
    }

    fn by(&self, operator: &Operator) -> Result<NewToken, Failure> {
        let scopes = self.scope.iter().copied().collect();
        make(operator, self.label.clone(), scopes, self.binding())
    }
}

/// Makes a token on behalf of whoever may write the directory.
///
/// # Errors
/// [`Failure`]: a refusal, or why it could not be recorded.
pub(super) fn make(
    operator: &Operator,
    label: Label,
    scopes: Scopes,
    binding: Option<SourceBinding>,
) -> Result<NewToken, Failure> {
    operator.permit(Administration::ManageTokens)?;
    let surroundings = &operator.node().surroundings;
    let entropy = &*surroundings.entropy;
    let random = draw(entropy).map_err(Failure::could_not_run)?;
    let token = SecretToken::new("service", &random);
    let id = uuid_v7(entropy, surroundings.clock.now()).map_err(Failure::could_not_run)?;
    let service = NewService { id, label, scopes, token: token.digest(), binding };
    let maker = Maker { actor: Operator::origin().actor, session: None };
    operator.commit(move |world, _| services::register(world, &service, maker))?;
    Ok(NewToken { id, token: token.expose().to_owned() })
}

/// A token, shown once.
#[derive(Serialize, Deserialize)]
pub(super) struct NewToken {
    pub(super) id: Uuid,
    pub(super) token: String,
}

impl Telling for NewToken {
    fn tell(&self, page: &mut Page) {
        page.field("id", &self.id.to_string());
        page.field_in("token", &self.token, Ink::Strong);
        page.blank();
        page.paragraph("The token is shown only now; `countersign token revoke` takes it back.");
    }
}

impl List {
    fn tokens(&self) -> Result<Tokens, Failure> {
        match self.target.target()? {
            Target::Server(client) => client.get("/tokens/v1", &[]),
            Target::Data(folder) => Ok(Tokens::of(&folder.world()?)),
        }
    }
}

/// All tokens in force, oldest first.
#[derive(Serialize, Deserialize)]
struct Tokens {
    tokens: Vec<Shown>,
}

#[derive(Serialize, Deserialize)]
struct Shown {
    id: Uuid,
    label: Label,
    scopes: Scopes,
    binding: Option<SourceBinding>,
    registered_at: Moment,
}

impl Tokens {
    fn of(world: &World) -> Self {
        let mut tokens: Vec<_> = world.services.iter().map(|service| Shown::of(service)).collect();
        tokens.sort_by_key(|token| token.id);
        Self { tokens }
    }
}

impl Shown {
    fn of(service: &Service) -> Self {
        Self {
            id: service.id,
            label: service.label.clone(),
            scopes: service.scopes.clone(),
            binding: service.binding.clone(),
            registered_at: service.registered_at,
        }
    }
}

impl Telling for Tokens {
    fn tell(&self, page: &mut Page) {
        if self.tokens.is_empty() {
            page.line("no tokens are in force");
            return;
        }
        let heads = ["ID", "SINCE (UTC)", "SCOPES", "LABEL"].map(Column::new);
        let mut table = Table::new(heads);
        for token in &self.tokens {
            let bound = token.binding.as_ref().map(|binding| {
                let SourceBinding { source, user_type, max_aal } = binding;
                format!("({source}, users `{user_type}`, at most {max_aal})")
            });
            let label = [Some(token.label.to_string()), bound].into_iter().flatten();
            let cells = [
                token.id.to_string(),
                second(token.registered_at),
                token.scopes.to_string(),
                label.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" "),
            ];
            table.row(cells.map(|text| (text, Ink::Plain)));
        }
        page.table(&table);
    }
}

impl Revoke {
    fn done(&self) -> Result<Revoked, Failure> {
        let id = self.id;
        match self.target.target()? {
            Target::Server(client) => self.over(&client)?,
            Target::Data(folder) => {
                let operator = folder.operator()?;
                operator.permit(Administration::ManageTokens)?;
                operator.commit(move |world, _| services::revoke(world, id))?;
            }
        }
        Ok(Revoked { id })
    }

    fn over(&self, client: &Client) -> Result<(), Failure> {
        let path = format!("/tokens/v1/{}", encoded(&self.id.to_string()));
        client.ask(Verb::Delete, &path, None, &[])?.good().map(|_| ())
    }
}

#[derive(Serialize)]
struct Revoked {
    #[serde(rename = "revoked")]
    id: Uuid,
}

impl Telling for Revoked {
    fn tell(&self, page: &mut Page) {
        page.line(&format!("revoked: the token of {} is refused from now on", self.id));
    }
}
