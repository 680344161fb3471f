//! A version is staged, decided by beside the one in force, and taken off the stage.

use std::convert::Infallible;

use countersign::cedar::Limits;
use countersign::event::{Actor, Event, Presented};
use countersign::model::{AccessRequest, Label};
use countersign::pap::{self, By, NewVersion, Step};
use countersign::pdp::{Ask, decide};
use countersign::projection::Stage;
use serde_json::json;

use crate::scribe::Scribe;

/// Decisions on which it agrees, and on which it does not.
pub fn shadowed(scribe: &mut Scribe) {
    let (limits, actor) = (Limits::default(), Actor::Person("admin".parse().unwrap()));
    let by = || By { actor: actor.clone(), presented: Presented::Nothing };
    let text = "@id(\"open-house\") permit (principal, action, resource);\n\
                @id(\"erring\") forbid (principal, action, resource)\n\
                when { resource has level && resource.level * 9223372036854775807 == 2 };";
    let policies = pap::set_of(&[("staged.cedar", text)], &limits);
    let policies = policies.unwrap();
    let message: Label = "an open house".parse().unwrap();
    let (schema, tests) = (None, None);
    let new = NewVersion { schema, policies: Some(policies), tests, message };
    let written = pap::write(&scribe.world, new, &limits).unwrap();
    let publication = scribe.id();
    let drafted = pap::draft(&scribe.world, &written, publication, &by());
    scribe.write(&actor, drafted);
    let latest = scribe.world.versions.latest_first();
    let digest = latest.iter().find(|it| it.stage == Stage::Draft).unwrap().digest;
    let ready = pap::ready(&scribe.world, &digest, &limits).unwrap();
    let why: Label = "to see".parse().unwrap();
    let step = |scribe: &Scribe, step, ready| {
        pap::take_step(&scribe.world, step, &digest, ready, &by(), why.clone())
    };
    let staged = step(scribe, Step::Stage, Some(&ready));
    scribe.write(&actor, staged);
    for who in ["alice", "nobody"] {
        let request = json!({
            "subject": {"type": "User", "id": who},
            "action": {"name": "view"},
            "resource": {"type": "Document", "id": "plan", "properties": {"level": 2}},
        });
        let request = AccessRequest::from_json(&request).unwrap();
        let ask = Ask::access(request, Presented::Nothing, "golden");
        let decided = decide(&scribe.world, &ask, scribe.now());
        assert!(decided.shadow.is_some());
        let decided = Event::AccessDecided(Box::new(decided));
        scribe.write(&Actor::Node, Ok::<_, Infallible>(vec![decided]));
    }
    let unstaged = step(scribe, Step::Unstage, None);
    scribe.write(&actor, unstaged);
}
