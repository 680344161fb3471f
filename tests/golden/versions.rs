//! Versions of the policies: two are drafted, one of them is looked at, staged, put in force
//! and taken back.

use countersign::authn::services::{self, Maker, NewService};
use countersign::cedar::Limits;
use countersign::event::{Actor, DecisionSettings, Event, PolicySettings, Presented, SessionFacts};
use countersign::model::{Digest, Label, Method, Scope};
use countersign::pap::{self, By, NewVersion, Step};

use crate::scribe::Scribe;

fn label(text: &str) -> Label {
    text.parse().unwrap()
}

fn person(name: &str) -> By {
    By { actor: Actor::Person(name.parse().unwrap()), presented: Presented::Nothing }
}

/// All that has to do with versions.
pub fn versions(scribe: &mut Scribe) {
    let before = scribe.world.settings.as_ref().clone();
    let policies = PolicySettings { four_eyes: true };
    let adopted = Event::SettingsAdopted(DecisionSettings { policies, ..before.clone() });
    scribe.write(&Actor::Node, Ok::<_, pap::Refusal>(vec![adopted]));
    pipeline(scribe);

    let text = "@id(\"golden\") permit (principal, action, resource);";
    let sources = pap::set_of(&[("golden.cedar", text)], &Limits::default()).unwrap();
    let schema = scribe.world.application.schema().map(|(text, _)| format!("{text}\nentity New;"));
    let new = NewVersion {
        schema,
        policies: Some(sources),
        tests: Some("[]".to_owned()),
        message: label("for the golden log"),
    };
    let one = draft(scribe, new.clone());
    draft(scribe, NewVersion { message: label("never looked at"), ..new });
    step(scribe, Step::Check, one, "author", "");
    step(scribe, Step::Stage, one, "author", "for a week");
    step(scribe, Step::Unstage, one, "author", "not yet");
    step(scribe, Step::Stage, one, "author", "now");
    step(scribe, Step::Approve, one, "alice", "seen");
    step(scribe, Step::Activate, one, "author", "release");
    let first = pap::version_before(&scribe.world, None).unwrap().digest;
    step(scribe, Step::RollBack, first, "author", "undone");
    scribe.write(&Actor::Node, Ok::<_, pap::Refusal>(vec![Event::SettingsAdopted(before)]));
}

/// A token that somebody makes in a session that is on record.
fn pipeline(scribe: &mut Scribe) {
    let new = NewService {
        id: scribe.id(),
        label: label("pipeline"),
        scopes: std::iter::once(Scope::Publish).collect(),
        token: scribe.digest(),
        binding: None,
    };
    let session = SessionFacts {
        id: scribe.id(),
        aal: 2,
        methods: [Method::Pwd, Method::Otp].into_iter().collect(),
        authenticated_at: scribe.now(),
        source: "countersign".to_owned(),
    };
    let actor = Actor::Person("admin".parse().unwrap());
    let maker = Maker { actor: actor.clone(), session: Some(session) };
    let events = services::register(&scribe.world, &new, maker);
    scribe.write(&actor, events);
}

fn draft(scribe: &mut Scribe, new: NewVersion) -> Digest {
    let written = pap::write(&scribe.world, new, &Limits::default()).unwrap();
    let (publication, by) = (scribe.id(), person("author"));
    let events = pap::draft(&scribe.world, &written, publication, &by);
    scribe.write(&by.actor, events);
    written.digest()
}

fn step(scribe: &mut Scribe, step: Step, version: Digest, who: &str, why: &str) {
    let ready =
        step.compiles().then(|| pap::ready(&scribe.world, &version, &Limits::default()).unwrap());
    let by = person(who);
    let events = pap::take_step(&scribe.world, step, &version, ready.as_ref(), &by, label(why));
    scribe.write(&by.actor, events);
}
