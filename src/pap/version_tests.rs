//! Versions as they pile up, and as they are named.

use uuid::Uuid;

use super::tests::{SCHEMA, after};
use super::{
    By, Draft, NewVersion, Refusal, Step, admit, draft, put_in_force, ready, set_of, take_step,
    version_before, version_named, write,
};
use crate::cedar::Limits;
use crate::event::{Actor, Presented};
use crate::model::{Digest, Label, PolicySource, SetKind};
use crate::projection::{DRAFTS_BYTES_MAX, RETIRED_MAX, Stage, World};

fn one(name: &str) -> Vec<PolicySource> {
    let text = format!("@id(\"{name}\")\npermit (principal, action, resource);");
    set_of(&[("p.cedar", &text)], &Limits::default()).unwrap()
}

fn published(world: World, name: &str, publication: u128) -> World {
    let draft = Draft {
        set: SetKind::Application,
        schema: Some(SCHEMA.to_owned()),
        policies: Some(one(name)),
        message: name.parse().unwrap(),
    };
    let admission = admit(&world, draft, &Limits::default()).unwrap();
    let events = put_in_force(&world, &admission, Uuid::from_u128(publication), None);
    after(world, events.unwrap())
}

fn by() -> By {
    By { actor: Actor::LocalOperator, presented: Presented::Nothing }
}

fn drafted(world: World, new: NewVersion, publication: u128) -> (World, Digest) {
    let written = write(&world, new, &Limits::default()).unwrap();
    let events = draft(&world, &written, Uuid::from_u128(publication), &by()).unwrap();
    (after(world, events), written.digest())
}

/// Goal: what was in force is there to be gone back to, the latest first, and never without
/// end.
#[test]
fn the_latest_of_those_that_were_in_force_are_kept() {
    let last = u128::try_from(RETIRED_MAX).unwrap() + 5;
    let world =
        (0..=last).fold(World::default(), |world, at| published(world, &format!("p{at}"), at));
    let all = world.versions.latest_first();
    let retired = all.iter().filter(|version| version.stage == Stage::Retired);
    assert_eq!((retired.count(), all.len()), (RETIRED_MAX, RETIRED_MAX + 1));
    let message = |version: &crate::projection::PolicyVersion| version.message.to_string();
    assert_eq!(message(version_before(&world, None).unwrap()), format!("p{}", last - 1));
    assert_eq!(all.last().map(|version| message(version)), Some("p5".to_owned()));

    // What was gone back to has left its place to what was left.
    let digest = version_before(&world, None).unwrap().digest;
    let fit = ready(&world, &digest, &Limits::default()).unwrap();
    let step = take_step(&world, Step::RollBack, &digest, Some(&fit), &by(), Label::default());
    let world = after(world, step.unwrap());
    assert_eq!(message(version_before(&world, None).unwrap()), format!("p{last}"));
    assert_eq!(world.application.sources().next().unwrap().id.as_str(), format!("p{}", last - 1));
    assert_eq!(world.application.in_force().unwrap().version.0, u64::try_from(last).unwrap() + 2);
}

/// Goal: drafts that are large are forgotten the sooner; the latest never.
#[test]
fn large_drafts_are_forgotten_sooner() {
    let mut world = published(World::default(), "first", 1);
    let tests = "x".repeat(super::TESTS_BYTES_MAX);
    let filling: Vec<_> = (0..1_000)
        .map(|at| PolicySource {
            id: format!("f{at}").parse().unwrap(),
            body: crate::model::PolicyBody::Static { text: "/".repeat(9_900).into() },
        })
        .collect();
    let mut names = Vec::new();
    for at in 0..9_u128 {
        let message = format!("draft {at}").parse().unwrap();
        let (policies, tests) = (Some(filling.clone()), Some(tests.clone()));
        let new = NewVersion { policies, tests, message, schema: None };
        let (next, name) = drafted(world, new, at + 2);
        (world, names) = (next, [names, vec![name]].concat());
    }
    let kept = names.iter().filter(|name| world.versions.get(name).is_some()).count();
    let latest = world.versions.get(names.last().unwrap()).unwrap();
    assert!(latest.bytes > 9_900_000 + super::TESTS_BYTES_MAX);
    assert_eq!(kept, DRAFTS_BYTES_MAX / latest.bytes);
}

/// Goal: nobody puts another version in force than they have named.
#[test]
fn a_name_is_one_versions_or_none() {
    let world =
        (0..40_u128).fold(World::default(), |world, at| published(world, &format!("p{at}"), at));
    let digest = world.versions.in_force().unwrap().digest.to_string();
    let short: String = digest.chars().take(6).collect();
    assert_eq!(version_named(&world, &short).unwrap().digest.to_string(), digest);
    for vague in ["", "01234", "zzzzzz", "ABCDEF", &format!("{digest}0")] {
        assert!(matches!(version_named(&world, vague), Err(Refusal::NotOneVersion(_))), "{vague}");
    }
    let unknown = "0".repeat(64);
    assert!(matches!(version_named(&world, &unknown), Err(Refusal::NoSuchVersion(_))));
}
