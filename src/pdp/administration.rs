//! Countersign's own administration, as questions to its system policies.

use std::sync::Arc;

use serde_json::Map;

use super::{Ask, SharedFacts};
use crate::event::{AccessDecided, Actor, Presented};
use crate::model::{AccessRequest, Action, EntityAsked, PolicyId, ReservedType, SetKind};
use crate::projection::World;

/// What may be done to Countersign itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Administration {
    /// Ask for decisions.
    Evaluate,
    /// Ask who can do what.
    Search,
    /// Report authentication events.
    Ingest,
    /// Read the log.
    ReadAudit,
    /// Read policies, schema and directory.
    ReadPolicies,
    /// Write versions of policies down, have them checked, and staged.
    DraftPolicies,
    /// Say that somebody else's version may come in force.
    ApprovePolicies,
    /// Put policies in force.
    PublishPolicies,
    /// Put a schema in force.
    PublishSchema,
    /// Change the directory.
    ChangeDirectory,
    /// Administer persons.
    ManageUsers,
    /// Erase persons and what is personal of entities.
    Erase,
    /// Administer service tokens.
    ManageTokens,
    /// Adopt and retire the log's signing keys, wrap the vault's anew, take copies of it.
    ManageKeys,
}

impl Administration {
    /// The id of its `Countersign::Action`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Evaluate => "evaluate",
            Self::Search => "search",
            Self::Ingest => "ingest",
            Self::ReadAudit => "readAudit",
            Self::ReadPolicies => "readPolicies",
            Self::DraftPolicies => "draftPolicies",
            Self::ApprovePolicies => "approvePolicies",
            Self::PublishPolicies => "publishPolicies",
            Self::PublishSchema => "publishSchema",
            Self::ChangeDirectory => "changeDirectory",
            Self::ManageUsers => "manageUsers",
            Self::Erase => "erase",
            Self::ManageTokens => "manageTokens",
            Self::ManageKeys => "manageKeys",
        }
    }

    /// True for what happens at the rate of the applications' own requests: it is
    /// decided each time, but only a refusal is recorded.
    #[must_use]
    pub const fn is_traffic(self) -> bool {
        matches!(self, Self::Evaluate | Self::Search | Self::Ingest)
    }
}

/// The question whether an actor may do something to this deployment. `session` is
/// the person's own, presented as `Authorization`.
#[must_use]
pub fn administrative(actor: &Actor, what: Administration, session: Presented) -> Ask {
    let (kind, id) = match actor {
        Actor::Person(name) => (ReservedType::Person, name.to_string()),
        Actor::Service(id) => (ReservedType::Service, id.to_string()),
        Actor::LocalOperator | Actor::Node => (ReservedType::LocalOperator, "local".to_owned()),
        Actor::Anonymous => (ReservedType::Person, String::new()),
    };
    let named = |kind: ReservedType, id: String| EntityAsked {
        kind: kind.as_str().to_owned(),
        id,
        properties: Map::new(),
    };
    Ask {
        set: SetKind::System,
        request: Arc::new(AccessRequest {
            subject: named(kind, id),
            action: Action {
                name: format!("{}::{}", ReservedType::Action.as_str(), what.as_str()),
                properties: Map::new(),
            },
            resource: named(ReservedType::Node, "self".to_owned()),
            context: Map::new(),
        }),
        presented: session,
        pep: "countersign".to_owned(),
        step_up: false,
        facts: SharedFacts::default(),
    }
}

/// Why the system policies do not allow it, and what would help: each policy that decided
/// with its `@deny_message`, else its `@description`, as the World has them.
#[must_use]
pub fn may_not(world: &World, what: Administration, decided: &AccessDecided) -> String {
    let policies = world.set(SetKind::System).compiled().and_then(Result::ok);
    let told = |id: &PolicyId| {
        let annotation = |key| policies?.policies.annotation(id, key).map(str::trim);
        let mut told = ["deny_message", "description"].into_iter().filter_map(annotation);
        match told.find(|text| !text.is_empty()) {
            Some(text) => format!("`{id}` ({text})"),
            None => format!("`{id}`"),
        }
    };
    let by: Vec<_> = decided.determining.iter().map(told).collect();
    let why = if by.is_empty() {
        "no policy permits it".to_owned()
    } else {
        format!("forbidden by {}", by.join(", "))
    };
    format!("you may not `{}`: {why}", what.as_str())
}
