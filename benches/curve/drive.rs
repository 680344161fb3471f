//! A drive: users in nested groups, documents in nested folders. After the `gdrive`
//! workload of “Cedar: A New Language for Expressive, Fast, Safe, and Analyzable
//! Authorization” (OOPSLA 2024) in kind, not in its letters.

use countersign::model::EntityDocument;
use serde_json::json;

use crate::chance::Chance;
use crate::workload::{General, Kind, Organisation, Pattern, Place, Workload, uid};

/// How many groups, or folders, are in the one above them.
const FAN_OUT: usize = 8;

pub static DRIVE: Workload = Workload {
    name: "drive",
    schema: r"
entity Group in [Group] = { name: String };
entity User in [Group] = { level: Long, office: String, suspended: Bool };
entity Folder in [Folder];
entity Document in [Folder] = { owner: User, archived: Bool, kind: String };
action read, write;
action view, comment in [read] appliesTo {
  principal: [User], resource: [Document], context: { mfa: Bool, office: Bool }
};
action edit, share in [write] appliesTo {
  principal: [User], resource: [Document], context: { mfa: Bool, office: Bool }
};
",
    kinds: &[
        Kind { name: "Group", per_mille: 20 },
        Kind { name: "User", per_mille: 280 },
        Kind { name: "Folder", per_mille: 50 },
        Kind { name: "Document", per_mille: 650 },
    ],
    principal: "User",
    resource: "Document",
    actions: &["view", "comment", "edit", "share"],
    general: &[
        General {
            text: "permit (principal, action, resource) when { resource.owner == principal };",
            actions: &["view", "comment", "edit", "share"],
        },
        General {
            text: "forbid (principal, action, resource) when { principal.suspended };",
            actions: &["view", "comment", "edit", "share"],
        },
        General {
            text: "forbid (principal, action in Action::\"write\", resource is Document) \
                   when { resource.archived };",
            actions: &["edit", "share"],
        },
    ],
    patterns: &[
        Pattern {
            id: "reader",
            per_cent: 70,
            effect: "permit",
            principal: Place { test: "==", kind: "User" },
            action: "action in Action::\"read\"",
            actions: &["view", "comment"],
            resource: Place { test: "==", kind: "Document" },
            body: "",
        },
        Pattern {
            id: "team-folder",
            per_cent: 3,
            effect: "permit",
            principal: Place { test: "in", kind: "Group" },
            action: "action",
            actions: &["view", "comment", "edit", "share"],
            resource: Place { test: "in", kind: "Folder" },
            body: " when { context.mfa || principal.level > 2 }",
        },
        Pattern {
            id: "folder-reader",
            per_cent: 10,
            effect: "permit",
            principal: Place { test: "==", kind: "User" },
            action: "action in Action::\"read\"",
            actions: &["view", "comment"],
            resource: Place { test: "in", kind: "Folder" },
            body: " unless { resource.kind == \"payroll\" && !context.office }",
        },
        Pattern {
            id: "team-document",
            per_cent: 15,
            effect: "permit",
            principal: Place { test: "in", kind: "Group" },
            action: "action == Action::\"edit\"",
            actions: &["edit"],
            resource: Place { test: "==", kind: "Document" },
            body: " when { context.mfa }",
        },
        Pattern {
            id: "kept-inside",
            per_cent: 2,
            effect: "forbid",
            principal: Place { test: "in", kind: "Group" },
            action: "action == Action::\"share\"",
            actions: &["share"],
            resource: Place { test: "in", kind: "Folder" },
            body: " unless { context.office && principal.level > 0 }",
        },
    ],
    document,
};

fn document(of: &Organisation, kind: &'static str, nth: usize) -> EntityDocument {
    let mut document = EntityDocument::bare(uid(kind, nth));
    let above = (nth > 0).then(|| uid(kind, nth / FAN_OUT));
    match kind {
        "User" => {
            let near = of.near(kind, nth, "Group");
            let other = Chance::of("groups", nth).below(of.count("Group"));
            document.parents.extend([uid("Group", near), uid("Group", other)]);
            let office = ["Bern", "Porto", "Turku"][nth % 3];
            let attrs =
                json!({"level": nth % 5, "office": office, "suspended": nth.is_multiple_of(10)});
            document.attrs = attrs.as_object().unwrap().clone();
        }
        "Document" => {
            document.parents.insert(uid("Folder", of.near(kind, nth, "Folder")));
            let owner = uid("User", of.near(kind, nth, "User"));
            let (kind, archived) = (["plan", "payroll", "note"][nth % 3], nth.is_multiple_of(7));
            let owner = json!({"type": owner.kind().as_str(), "id": owner.id()});
            let attrs = json!({"owner": owner, "archived": archived, "kind": kind});
            document.attrs = attrs.as_object().unwrap().clone();
        }
        _ => {
            document.parents.extend(above);
            if kind == "Group" {
                document.attrs.insert("name".to_owned(), json!(format!("team {nth}")));
            }
        }
    }
    document
}
