//! A version, told to people and to programs.

use serde::{Deserialize, Serialize};

use super::super::console::Telling;
use super::super::page::{Ink, Page, second};
use crate::model::Digest;
use crate::pap::VersionShown;
use crate::projection::Stage;

/// A version after a step.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Told(pub(super) VersionShown);

impl Telling for Told {
    fn tell(&self, page: &mut Page) {
        let Self(version) = self;
        let ink = if version.stage == Stage::InForce { Ink::Good } else { Ink::Strong };
        let name = short(&version.digest);
        let gone = version.instead_of.map(|it| {
            format!(", instead of version {} (number {})", short(&it.digest), it.version)
        });
        let gone = gone.unwrap_or_default();
        page.inked(&format!("version {name} is {}{gone}", standing(version)), ink);
        life(version, page);
    }
}

/// The beginning of a version's name, enough for people and for commands.
pub(in super::super) fn short(digest: &Digest) -> String {
    digest.to_string().chars().take(12).collect()
}

/// How far a version has come, in words.
pub(super) fn standing(version: &VersionShown) -> String {
    match (version.stage, version.in_force_as) {
        (Stage::Draft, _) => "a draft".to_owned(),
        (Stage::InForce, Some(numbers)) => format!("in force, as number {}", numbers.version),
        (stage, _) => stage.as_str().to_owned(),
    }
}

/// What there is to say of a version.
pub(super) fn life(version: &VersionShown, page: &mut Page) {
    let tests = if version.tests_digest.is_some() { ", with tests" } else { "" };
    page.field("policies", &format!("{}{tests}", version.count));
    page.field("author", &format!("{}, {}", version.author, second(version.drafted)));
    if !version.message.is_empty() {
        page.field("message", version.message.as_str());
    }
    if let Some(checked) = version.checked {
        let warnings = match checked.warnings {
            0 => "nothing was found".to_owned(),
            1 => "1 warning".to_owned(),
            many => format!("{many} warnings"),
        };
        let tests = checked.tests.map(|held| format!(", {held} tests held")).unwrap_or_default();
        page.field("checked", &format!("{}, {warnings}{tests}", second(checked.at)));
    }
    for approval in &version.approvals {
        page.field("approved", &format!("{}, {}", approval.by, second(approval.at)));
    }
    page.field("entry", &format!("{}, {}", version.index, second(version.since)));
}
