//! How many versions of the policies are kept, and which are forgotten first.

use super::Content;
use super::versions::{PolicyVersion, Stage, Versions};
use crate::model::{Digest, PolicyBody, PolicySource};

/// How many versions are kept that have not been in force: one drafted beyond that has the
/// oldest forgotten, those that nobody has approved before those that somebody has.
pub const DRAFTS_MAX: usize = 32;
/// How many bytes these may have together: beyond that they are forgotten in the same order.
/// The latest is always kept; a publication's body is bounded.
pub const DRAFTS_BYTES_MAX: usize = 64 << 20;
/// How many that have been in force are kept to go back to: the latest.
pub const RETIRED_MAX: usize = 64;
/// How many bytes these may have together; the latest is always kept.
pub const RETIRED_BYTES_MAX: usize = 256 << 20;

/// What a policy takes besides its texts: its places in maps and what is counted for it.
const POLICY_BYTES: usize = 256;

/// The bytes of a version's policies, schema and tests.
pub(super) fn bytes_of(content: &Content, tests: Option<&str>) -> usize {
    let policies = content.policies.values().map(|source| of_policy(source)).sum::<usize>();
    policies + content.schema.len() + tests.map_or(0, str::len)
}

fn of_policy(source: &PolicySource) -> usize {
    let body = match &source.body {
        PolicyBody::Static { text } | PolicyBody::Template { text } => text.len(),
        PolicyBody::Link { template, principal, resource } => {
            let slots = [principal, resource].into_iter().flatten();
            let slots = slots.map(|uid| uid.kind().as_str().len() + uid.id().len()).sum::<usize>();
            template.as_str().len() + slots
        }
    };
    POLICY_BYTES + source.id.as_str().len() + body
}

impl Versions {
    /// Forgets what is beyond the bounds. What is in force or staged is neither counted nor
    /// forgotten.
    pub(super) fn forget(&mut self) {
        let mut drafts = self.latest_at(|stage| matches!(stage, Stage::Draft | Stage::Checked));
        if let Some((_latest, others)) = drafts.split_first_mut() {
            others.sort_by_key(|version| version.approvals.is_empty());
        }
        let retired = self.latest_at(|stage| stage == Stage::Retired);
        let beyond = [
            beyond(&drafts, DRAFTS_MAX, DRAFTS_BYTES_MAX),
            beyond(&retired, RETIRED_MAX, RETIRED_BYTES_MAX),
        ];
        for digest in beyond.concat() {
            self.known.remove(&digest);
        }
    }

    /// Those at some stages, the latest to have moved first.
    fn latest_at(&self, counts: impl Fn(Stage) -> bool) -> Vec<&PolicyVersion> {
        let those = self.known.values().filter(|version| counts(version.stage));
        let mut those: Vec<_> = those.map(AsRef::as_ref).collect();
        those.sort_by_key(|version| std::cmp::Reverse((version.since.0, version.digest)));
        those
    }
}

/// Which of these are too many, or too large together with those before them.
fn beyond(versions: &[&PolicyVersion], most: usize, bytes_max: usize) -> Vec<Digest> {
    let mut bytes = 0_usize;
    let mut too_much = Vec::new();
    for (place, version) in versions.iter().enumerate() {
        bytes = bytes.saturating_add(version.bytes);
        if place >= most || place > 0 && bytes > bytes_max {
            too_much.push(version.digest);
        }
    }
    too_much
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use imbl::OrdMap;

    use super::*;
    use crate::event::Actor;
    use crate::model::{Index, Label, Moment};
    use crate::projection::Approval;

    fn content(policies: OrdMap<crate::model::PolicyId, Arc<PolicySource>>) -> Content {
        let nothing = Digest::of("");
        let (schema_digest, policies_digest) = (nothing, nothing);
        Content { schema: Arc::from(""), schema_digest, policies, policies_digest }
    }

    /// A version that moved last by this entry.
    fn version(at: u64, stage: Stage, bytes: usize, approved: bool) -> PolicyVersion {
        let approval = Approval { by: Actor::LocalOperator, at: Moment::EPOCH };
        PolicyVersion {
            digest: Digest::of(format!("{at}")),
            content: content(OrdMap::new()),
            tests: None,
            bytes,
            message: Label::default(),
            author: Actor::LocalOperator,
            writer: None,
            drafted: Moment::EPOCH,
            base: None,
            stage,
            since: (Index(at), Moment::EPOCH),
            checked: None,
            approvals: approved.then_some(approval).into_iter().collect(),
            in_force_as: None,
        }
    }

    /// The entries by which those moved that are kept.
    fn kept(versions: impl IntoIterator<Item = PolicyVersion>) -> Vec<u64> {
        let known = versions.into_iter().map(|it| (it.digest, Arc::new(it))).collect();
        let mut all = Versions { known, ..Versions::default() };
        all.forget();
        let mut kept: Vec<_> = all.known.values().map(|it| it.since.0.0).collect();
        kept.sort_unstable();
        kept
    }

    #[test]
    fn a_flood_of_drafts_forgets_no_approved_one_and_nothing_staged_or_in_force() {
        let old = [
            version(1, Stage::InForce, DRAFTS_BYTES_MAX, false),
            version(2, Stage::Staged, DRAFTS_BYTES_MAX, false),
            version(3, Stage::Checked, 1, true),
        ];
        let flood = (10..100).map(|at| version(at, Stage::Draft, 1, false));
        let kept = kept(old.into_iter().chain(flood));
        assert_eq!(kept.get(..4), Some([1, 2, 3, 69].as_slice()), "{kept:?}");
        assert_eq!(kept.len(), 2 + DRAFTS_MAX);
    }

    /// Goal: a draft can be written however much was approved before it.
    #[test]
    fn the_latest_draft_is_kept_though_all_others_are_approved() {
        let approved = (0..40).map(|at| version(at, Stage::Checked, 1, true));
        let kept = kept(approved.chain([version(50, Stage::Draft, 2 * DRAFTS_BYTES_MAX, false)]));
        assert_eq!(kept, [50]);
    }

    #[test]
    fn what_was_in_force_is_kept_as_far_as_there_is_room_and_the_latest_always() {
        let third = RETIRED_BYTES_MAX / 3;
        let all = (1..=5).map(|at| version(at, Stage::Retired, third, false));
        assert_eq!(kept(all), [3, 4, 5]);
        let all = (1..=3).map(|at| version(at, Stage::Retired, RETIRED_BYTES_MAX + 1, false));
        assert_eq!(kept(all), [3]);
    }

    #[test]
    fn links_take_room_too() {
        let link = |at: u32| PolicySource {
            id: format!("link-{at}").parse().unwrap(),
            body: PolicyBody::Link {
                template: "template".parse().unwrap(),
                principal: Some("User::\"alice\"".parse().unwrap()),
                resource: None,
            },
        };
        let links = (0..100).map(link).map(|it| (it.id.clone(), Arc::new(it))).collect();
        let (words, link) = ("template".len() + "User".len() + "alice".len(), "link-00".len());
        let least = 100 * (POLICY_BYTES + words + link) - 10;
        assert_eq!(bytes_of(&content(links), Some("12345")), least + 5);
    }
}
