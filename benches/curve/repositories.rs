//! Repositories of organisations, users in nested teams. After the `github` workload of
//! the OOPSLA 2024 paper in kind.

use countersign::model::EntityDocument;
use serde_json::json;

use crate::workload::{General, Kind, Organisation, Pattern, Place, Workload, uid};

/// How many teams are in the one above them.
const FAN_OUT: usize = 5;

pub static REPOSITORIES: Workload = Workload {
    name: "repositories",
    schema: r"
entity Organisation;
entity Team in [Team];
entity User in [Team, Organisation] = { level: Long };
entity Repository in [Organisation] = { private: Bool, archived: Bool, maintainers: Team };
action read, write;
action pull, fork in [read] appliesTo {
  principal: [User], resource: [Repository], context: { mfa: Bool, office: Bool }
};
action push, merge in [write] appliesTo {
  principal: [User], resource: [Repository], context: { mfa: Bool, office: Bool }
};
",
    kinds: &[
        Kind { name: "Organisation", per_mille: 10 },
        Kind { name: "Team", per_mille: 40 },
        Kind { name: "User", per_mille: 350 },
        Kind { name: "Repository", per_mille: 600 },
    ],
    principal: "User",
    resource: "Repository",
    actions: &["pull", "fork", "push", "merge"],
    general: &[
        General {
            text: "permit (principal, action, resource) \
                   when { principal in resource.maintainers };",
            actions: &["pull", "fork", "push", "merge"],
        },
        General {
            text: "permit (principal, action == Action::\"pull\", resource is Repository) \
                   unless { resource.private };",
            actions: &["pull"],
        },
        General {
            text: "forbid (principal, action in Action::\"write\", resource) \
                   when { resource.archived };",
            actions: &["push", "merge"],
        },
    ],
    patterns: &[
        Pattern {
            id: "collaborator",
            per_cent: 60,
            effect: "permit",
            principal: Place { test: "==", kind: "User" },
            action: "action in Action::\"read\"",
            actions: &["pull", "fork"],
            resource: Place { test: "==", kind: "Repository" },
            body: "",
        },
        Pattern {
            id: "team-push",
            per_cent: 32,
            effect: "permit",
            principal: Place { test: "in", kind: "Team" },
            action: "action in [Action::\"push\", Action::\"merge\", Action::\"pull\"]",
            actions: &["push", "merge", "pull"],
            resource: Place { test: "==", kind: "Repository" },
            body: " when { context.mfa }",
        },
        Pattern {
            id: "team-organisation",
            per_cent: 4,
            effect: "permit",
            principal: Place { test: "in", kind: "Team" },
            action: "action == Action::\"pull\"",
            actions: &["pull"],
            resource: Place { test: "in", kind: "Organisation" },
            body: " unless { resource.private && principal.level < 2 }",
        },
        Pattern {
            id: "suspended",
            per_cent: 4,
            effect: "forbid",
            principal: Place { test: "==", kind: "User" },
            action: "action in Action::\"write\"",
            actions: &["push", "merge"],
            resource: Place { test: "in", kind: "Organisation" },
            body: " unless { context.mfa && context.office }",
        },
    ],
    document,
};

fn document(of: &Organisation, kind: &'static str, nth: usize) -> EntityDocument {
    let mut document = EntityDocument::bare(uid(kind, nth));
    let near = |to: &str| uid(to, of.near(kind, nth, to));
    match kind {
        "Team" => document.parents.extend((nth > 0).then(|| uid(kind, nth / FAN_OUT))),
        "User" => {
            document.parents.extend([near("Team"), near("Organisation")]);
            document.attrs = json!({"level": nth % 4}).as_object().unwrap().clone();
        }
        "Repository" => {
            document.parents.insert(near("Organisation"));
            let team = near("Team");
            let attrs = json!({
                "private": !nth.is_multiple_of(3),
                "archived": nth.is_multiple_of(6),
                "maintainers": {"type": team.kind().as_str(), "id": team.id()},
            });
            document.attrs = attrs.as_object().unwrap().clone();
        }
        _ => {}
    }
    document
}
