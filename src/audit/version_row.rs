//! What happens to versions of policies, one line each.

use super::row::because;
use crate::event::{
    Event, SessionFacts, VersionActivated, VersionChecked, VersionDrafted, VersionRolledBack,
};
use crate::model::{Digest, Label};

/// A step of a version's life in a line.
pub(super) fn describe(event: &Event) -> String {
    match event {
        Event::PolicyTestsSubmitted(it) => {
            format!("{} bytes of the policies' tests were submitted", it.text.len())
        }
        Event::VersionDrafted(it) => drafted(it),
        Event::VersionChecked(it) => checked(it),
        Event::VersionStaged(it) => moved(&it.digest, "staged", it.session.as_ref(), &it.reason),
        Event::VersionUnstaged(it) => {
            moved(&it.digest, "taken off the stage", it.session.as_ref(), &it.reason)
        }
        Event::VersionApproved(it) => {
            moved(&it.digest, "approved", it.session.as_ref(), &it.reason)
        }
        Event::VersionActivated(it) => activated(it),
        Event::VersionRolledBack(it) => rolled_back(it),
        // No step of a version's life.
        other => other.type_name().to_owned(),
    }
}

/// The beginning of a version's name, enough for people and for commands.
fn short(digest: &Digest) -> String {
    digest.to_string().chars().take(12).collect()
}

fn shown(session: Option<&SessionFacts>) -> String {
    session.map(|it| format!(" at AAL{}", it.aal)).unwrap_or_default()
}

fn drafted(it: &VersionDrafted) -> String {
    let (digest, count, at) = (short(&it.digest), it.count, shown(it.session.as_ref()));
    let tests = if it.tests.is_some() { " and tests" } else { "" };
    let why = because(&it.message);
    format!("version {digest} was drafted{at}: {count} policies, a schema{tests}{why}")
}

fn checked(it: &VersionChecked) -> String {
    let found = match it.warnings {
        0 => "nothing was found".to_owned(),
        1 => "1 warning".to_owned(),
        many => format!("{many} warnings"),
    };
    let tests = match it.tests {
        None => String::new(),
        Some(1) => ", 1 test held".to_owned(),
        Some(held) => format!(", {held} tests held"),
    };
    let (digest, at) = (short(&it.digest), shown(it.session.as_ref()));
    format!("version {digest} was checked{at}: {found}{tests}")
}

/// One of the steps that are said in one word.
fn moved(digest: &Digest, what: &str, session: Option<&SessionFacts>, reason: &Label) -> String {
    format!("version {} was {what}{}{}", short(digest), shown(session), because(reason))
}

fn activated(it: &VersionActivated) -> String {
    format!(
        "version {} came in force{}, as version {} of the application policies{}",
        short(&it.digest),
        shown(it.session.as_ref()),
        it.policies.version,
        because(&it.reason)
    )
}

fn rolled_back(it: &VersionRolledBack) -> String {
    format!(
        "version {} was rolled back{} to {}, now version {} of the application policies{}",
        short(&it.left),
        shown(it.session.as_ref()),
        short(&it.digest),
        it.policies.version,
        because(&it.reason)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{VersionApproved, VersionRef};
    use crate::model::{Moment, Version};

    fn session() -> SessionFacts {
        SessionFacts {
            id: uuid::Uuid::nil(),
            aal: 2,
            methods: std::collections::BTreeSet::new(),
            authenticated_at: "2026-11-22T12:00:00Z".parse::<Moment>().unwrap(),
            source: "countersign".to_owned(),
        }
    }

    /// Goal: a version's life is read in the log as it happened: which, what, on what
    /// assurance, and why.
    #[test]
    fn a_versions_life_reads_as_it_happened() {
        let (digest, left) = (Digest::of("one"), Digest::of("two"));
        let (one, two) = (short(&digest), short(&left));
        let reason: Label = "release 14".parse().unwrap();
        let named = |number| VersionRef { version: Version(number), digest };
        let checked = VersionChecked {
            digest,
            level: Some(1),
            warnings: 2,
            tests: Some(40),
            session: Some(session()),
        };
        let approved =
            VersionApproved { digest, reason: Label::default(), session: Some(session()) };
        let back = VersionRolledBack {
            digest,
            left,
            policies: named(7),
            schema: named(2),
            reason,
            session: None,
        };
        let expected = [
            (
                Event::VersionChecked(checked),
                format!("version {one} was checked at AAL2: 2 warnings, 40 tests held"),
            ),
            (Event::VersionApproved(approved), format!("version {one} was approved at AAL2")),
            (
                Event::VersionRolledBack(back),
                format!(
                    "version {two} was rolled back to {one}, now version 7 of the application \
                     policies: release 14"
                ),
            ),
        ];
        for (event, row) in expected {
            assert_eq!(describe(&event), row);
        }
    }
}
