//! To-do lists with teams of readers and editors. After the `tinytodo` workload of the
//! OOPSLA 2024 paper in kind.

use countersign::model::EntityDocument;
use serde_json::json;

use crate::chance::Chance;
use crate::workload::{General, Kind, Organisation, Pattern, Place, Workload, uid};

/// How many teams are in the one above them.
const FAN_OUT: usize = 4;

pub static LISTS: Workload = Workload {
    name: "lists",
    schema: r"
entity Team in [Team];
entity User in [Team] = { level: Long };
entity List = { owner: User, readers: Team, editors: Team, locked: Bool };
action read, write;
action view, count in [read] appliesTo {
  principal: [User], resource: [List], context: { mfa: Bool, office: Bool }
};
action add, tick in [write] appliesTo {
  principal: [User], resource: [List], context: { mfa: Bool, office: Bool }
};
",
    kinds: &[
        Kind { name: "Team", per_mille: 50 },
        Kind { name: "User", per_mille: 350 },
        Kind { name: "List", per_mille: 600 },
    ],
    principal: "User",
    resource: "List",
    actions: &["view", "count", "add", "tick"],
    general: &[
        General {
            text: "permit (principal, action, resource) when { resource.owner == principal };",
            actions: &["view", "count", "add", "tick"],
        },
        General {
            text: "permit (principal, action in Action::\"read\", resource is List) \
                   when { principal in resource.readers || principal in resource.editors };",
            actions: &["view", "count"],
        },
        General {
            text: "permit (principal, action in Action::\"write\", resource) \
                   when { principal in resource.editors };",
            actions: &["add", "tick"],
        },
        General {
            text: "forbid (principal, action in Action::\"write\", resource) \
                   when { resource.locked };",
            actions: &["add", "tick"],
        },
    ],
    patterns: &[
        Pattern {
            id: "guest",
            per_cent: 60,
            effect: "permit",
            principal: Place { test: "==", kind: "User" },
            action: "action in Action::\"read\"",
            actions: &["view", "count"],
            resource: Place { test: "==", kind: "List" },
            body: "",
        },
        Pattern {
            id: "team",
            per_cent: 30,
            effect: "permit",
            principal: Place { test: "in", kind: "Team" },
            action: "action",
            actions: &["view", "count", "add", "tick"],
            resource: Place { test: "==", kind: "List" },
            body: " when { context.office || context.mfa && principal.level > 1 }",
        },
        Pattern {
            id: "banned",
            per_cent: 10,
            effect: "forbid",
            principal: Place { test: "==", kind: "User" },
            action: "action == Action::\"add\"",
            actions: &["add"],
            resource: Place { test: "==", kind: "List" },
            body: " unless { context.mfa }",
        },
    ],
    document,
};

fn document(of: &Organisation, kind: &'static str, nth: usize) -> EntityDocument {
    let mut document = EntityDocument::bare(uid(kind, nth));
    match kind {
        "Team" => document.parents.extend((nth > 0).then(|| uid(kind, nth / FAN_OUT))),
        "User" => {
            let other = Chance::of("teams", nth).below(of.count("Team"));
            document.parents.extend([uid("Team", of.near(kind, nth, "Team")), uid("Team", other)]);
            document.attrs = json!({"level": nth % 4}).as_object().unwrap().clone();
        }
        _ => {
            let near = of.near(kind, nth, "Team");
            let other = Chance::of("readers", nth).below(of.count("Team"));
            let owner = of.near(kind, nth, "User");
            let written = |kind: &str, nth| json!({"type": kind, "id": uid(kind, nth).id()});
            let attrs = json!({
                "owner": written("User", owner),
                "readers": written("Team", other),
                "editors": written("Team", near),
                "locked": nth.is_multiple_of(6),
            });
            document.attrs = attrs.as_object().unwrap().clone();
        }
    }
    document
}
