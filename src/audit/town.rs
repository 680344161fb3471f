//! A small organisation in segments, to try reports on.

use serde_json::{Value, json};

use super::sample::{Log, uid};
use super::{Ground, Then};
use crate::cedar::Limits;
use crate::event::Presented;
use crate::model::{EntityDocument, Index, Label, SetKind, Uid};
use crate::pap::{self, Draft};
use crate::pdp::{Ask, asked_of};
use crate::pip;
use crate::projection::{Change, World};

pub(super) const SCHEMA: &str = r#"
type Session = {
    aal: Long, amr: Set<String>, authenticated_at: datetime, age_seconds: Long,
    phishing_resistant: Bool, source: String,
};
type Facts = { session?: Session };
entity Role;
entity User in [Role] = { @caller("fill") posture?: String };
@segment
entity Segment in [Segment];
entity Workload in [Segment];
entity Service in [Segment] = {
    runs_on?: Workload,
    @crown_jewel
    crown_jewel?: Bool,
};
@pivot("runs_on")
action connect appliesTo { principal: [Workload, User], resource: Service, context: Facts };
@pivot("runs_on")
action administer appliesTo { principal: [User], resource: Service, context: Facts };
"#;

pub(super) const POLICIES: &str = r#"
@id("road-people-web")
permit (principal in Role::"employee", action == Action::"connect", resource in Segment::"web");
@id("road-web-api")
permit (principal in Segment::"web", action == Action::"connect", resource in Segment::"api");
@id("road-api-data")
permit (principal in Segment::"api", action == Action::"connect", resource in Segment::"data");
@id("road-data-web")
permit (principal in Segment::"data", action == Action::"connect", resource in Segment::"web");
@id("operators-administer")
permit (principal in Role::"operator", action == Action::"administer", resource);
@id("fresh-mfa")
forbid (principal, action == Action::"administer", resource)
unless { context has session && context.session.aal >= 2 && context.session.age_seconds < 900 };
@id("wall-data")
forbid (principal, action == Action::"connect", resource in Segment::"data")
unless { principal in Segment::"api" };
"#;

/// An entity in Cedar's JSON.
pub(super) fn entity(kind: &str, id: &str, parents: &[(&str, &str)], attrs: &Value) -> Value {
    let named = |kind: &str, id: &str| json!({"type": kind, "id": id});
    let parents: Vec<_> = parents.iter().map(|(kind, id)| named(kind, id)).collect();
    json!({"uid": named(kind, id), "attrs": attrs, "parents": parents})
}

/// A service in a segment that runs on a workload.
pub(super) fn service(id: &str, segment: &str, runs_on: &str, jewel: bool) -> Value {
    let runs_on = json!({"type": "Workload", "id": runs_on});
    let attrs = json!({"runs_on": runs_on, "crown_jewel": jewel});
    entity("Service", id, &[("Segment", segment)], &attrs)
}

/// Three segments one behind the other, alice who is employed, dave who operates.
pub(super) fn entities() -> Vec<Value> {
    let none = json!({});
    let mut all: Vec<_> = ["web", "api", "data"].map(|id| entity("Segment", id, &[], &none)).into();
    all.extend([
        entity("Role", "employee", &[], &none),
        entity("Role", "operator", &[], &none),
        entity("User", "alice", &[("Role", "employee")], &none),
        entity("User", "dave", &[("Role", "operator")], &none),
        entity("Workload", "storefront", &[("Segment", "web")], &none),
        entity("Workload", "orders", &[("Segment", "api")], &none),
        entity("Workload", "stray", &[], &none),
        service("shop", "web", "storefront", false),
        service("orders-api", "api", "orders", false),
        service("orders-db", "data", "orders", true),
    ]);
    all
}

/// A log in which all of this came in force.
pub(super) fn log(policies: &str, entities: &[Value]) -> Log {
    let (mut log, limits) = (Log::begun(), Limits::default());
    let publication = uuid::Uuid::from_u128(0x70);
    let admission = pap::admit(&log.world, draft(Some(SCHEMA), policies), &limits).unwrap();
    log.write(pap::put_in_force(&log.world, &admission, publication, None).unwrap());
    let put = |json: &Value| Change::Put(EntityDocument::from_json(json).unwrap());
    let changes = entities.iter().map(put).collect();
    let admission = pip::admit(&log.world, changes, 1_000).unwrap();
    let publication = uuid::Uuid::from_u128(0x71);
    let events = pip::put_in_force(&log.world, &admission, publication, Label::default(), None);
    log.write(events.unwrap());
    log
}

pub(super) fn draft(schema: Option<&str>, policies: &str) -> Draft {
    Draft {
        set: SetKind::Application,
        schema: schema.map(ToOwned::to_owned),
        policies: Some(pap::set_of(&[("p.cedar", policies)], &Limits::default()).unwrap()),
        message: Label::default(),
    }
}

/// The World after all of a log, to report on.
pub(super) fn ground(log: &Log) -> Ground {
    Ground::new(log.world.clone(), then(&log.world))
}

fn then(world: &World) -> Then {
    let (time, _) = world.last.unwrap();
    Then { index: world.through.unwrap_or(Index(0)), time }
}

/// Who, what and to what, without a session.
pub(super) fn ask(from: &Uid, action: &str, to: &Uid) -> Ask {
    Ask::access(asked_of(from, &uid("Action", action), to), Presented::Nothing, "mesh")
}
