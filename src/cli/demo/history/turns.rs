//! What changes in the quarter: policies and the directory. It begins with less than what
//! ships and ends with exactly that.

use super::super::super::failure::Failure;
use super::super::super::folder::Operator;
use super::super::organisation;
use super::calendar::Quarter;
use super::habits::{MALLORY_LEAVES, QUINN_MOVES, ZOE_COMES};
use crate::cedar::Limits;
use crate::event::Presented;
use crate::model::{
    Digest, EntityDocument, GoOn, Label, Moment, PolicyBody, PolicySource, SetKind, Uid,
};
use crate::node::{self, Command};
use crate::pap::{self, Draft, NewVersion, Step};
use crate::pdp::Administration;
use crate::projection::Change;

/// The policy that network adds to let recommendations read the stock database. It forgets
/// the wall.
const ROAD: &str = "road-recommendations-stock";
/// The policy that security adds after a document was deleted by mistake.
const TIGHTENED: &str = "mfa-delete-documents";

/// What is still on the stage at the end: nobody has decided yet.
const WIKI: &str = "@id(\"mfa-team-wiki\")
@description(\"The team wiki wants two factors.\")
@owner(\"security\")
forbid (
  principal,
  action == Action::\"connect\",
  resource == Service::\"team-wiki\"
)
unless { context has session && context.session.aal >= 2 };
";

/// At which second of their day changes are made: half past six, before the office opens.
const EARLY_S: u64 = 6 * 3_600 + 1_800;

/// One change.
pub(super) struct Turn {
    /// When.
    pub(super) at: Moment,
    message: &'static str,
    what: What,
}

enum What {
    /// All of what ships comes in force.
    Publish,
    /// What ships but for some of it, and more, is written down, checked, and decided by
    /// beside what is in force.
    Stage { without: &'static [&'static str], adding: &'static str },
    /// What is on the stage comes in force.
    Activate,
    /// People come, move and go: one entity of the directory, with these roles.
    Person { name: &'static str, roles: &'static [&'static str] },
}

/// All changes, in order.
pub(super) fn all(quarter: Quarter) -> Vec<Turn> {
    let turn = |day, message, what| Turn { at: quarter.at(day, EARLY_S), message, what };
    let person = |name, roles| What::Person { name, roles };
    let stage = |without, adding| What::Stage { without, adding };
    vec![
        turn(17, "recommendations read the stock database directly", stage(&[TIGHTENED], "")),
        turn(24, "a week on the stage, and nobody is denied anything", What::Activate),
        turn(ZOE_COMES, "zoe begins", person("zoe", &["employee"])),
        turn(QUINN_MOVES, "quinn moves to support", person("quinn", &["support"])),
        turn(52, "two factors for deleting, after the roadmap was deleted", What::Publish),
        turn(MALLORY_LEAVES, "mallory leaves", person("mallory", &[])),
        turn(80, "two factors for the team wiki: whom would it hit?", stage(&[], WIKI)),
    ]
}

/// The policies that the quarter begins with, as a file.
///
/// # Errors
/// If what ships is not well-formed, which the tests rule out.
pub(super) fn first_policies() -> Result<Vec<(String, String)>, Failure> {
    let text = |source: PolicySource| match source.body {
        PolicyBody::Static { text } | PolicyBody::Template { text } => text.to_string(),
        PolicyBody::Link { .. } => String::new(),
    };
    let texts: Vec<_> = without(&[ROAD, TIGHTENED])?.into_iter().map(text).collect();
    Ok(vec![("policies/cloud.cedar".to_owned(), texts.join("\n\n"))])
}

/// The directory that the quarter begins with.
///
/// # Errors
/// As [`first_policies`].
pub(super) fn first_entities() -> Result<Vec<EntityDocument>, Failure> {
    let mut entities = organisation::entities()?;
    let (zoe, quinn, mallory) = (user("zoe")?, user("quinn")?, user("mallory")?);
    entities.retain(|entity| entity.uid != zoe);
    for entity in &mut entities {
        if entity.uid == quinn || entity.uid == mallory {
            entity.parents = std::iter::once(role("employee")?).collect();
        }
    }
    Ok(entities)
}

impl Turn {
    /// Makes it, on behalf of whoever may write the directory.
    ///
    /// # Errors
    /// [`Failure`]: it is refused or cannot be recorded.
    pub(super) fn make(&self, operator: &Operator) -> Result<(), Failure> {
        let message: Label = self.message.parse().map_err(Failure::could_not_run)?;
        match &self.what {
            What::Publish => {
                operator.permit(Administration::PublishPolicies)?;
                let (set, policies) = (SetKind::Application, Some(without(&[])?));
                let draft = Draft { set, schema: None, policies, message };
                operator.publish(draft, None)?;
            }
            What::Stage { without: left, adding } => {
                operator.permit(Administration::DraftPolicies)?;
                let more = pap::set_of(&[("wiki.cedar", adding)], &Limits::default());
                let more = more.map_err(|_| unfit())?;
                let policies = Some([without(left)?, more].concat());
                let new =
                    NewVersion { policies, message: message.clone(), ..NewVersion::default() };
                let node = operator.node();
                let entropy = &*node.surroundings.entropy;
                let drafted = node::draft(&node.sequencer, entropy, command(), new);
                let digest = operator.wait(drafted)?.1;
                for step in [Step::Check, Step::Stage] {
                    take(operator, step, &digest, message.clone())?;
                }
            }
            What::Activate => {
                operator.permit(Administration::PublishPolicies)?;
                let world = operator.node().sequencer.world();
                let staged = world.versions.staged().map(|it| it.digest);
                let none = || Failure::could_not_run("nothing is on the stage");
                take(operator, Step::Activate, &staged.ok_or_else(none)?, message)?;
            }
            What::Person { name, roles } => {
                operator.permit(Administration::ChangeDirectory)?;
                let mut person = EntityDocument::bare(user(name)?);
                person.parents = roles.iter().map(|id| role(id)).collect::<Result<_, _>>()?;
                operator.change(vec![Change::Put(person)], message, None)?;
            }
        }
        Ok(())
    }
}

fn take(operator: &Operator, step: Step, version: &Digest, why: Label) -> Result<(), Failure> {
    let (sequencer, name) = (&operator.node().sequencer, Some(version.to_string()));
    operator.wait(node::take_step(sequencer, command(), step, name, why))?;
    Ok(())
}

const fn command() -> Command {
    let (authority, presented, go_on) = (None, Presented::Nothing, GoOn::ALWAYS);
    Command { origin: Operator::origin(), authority, presented, go_on }
}

fn without(left: &[&str]) -> Result<Vec<PolicySource>, Failure> {
    let files = organisation::policies();
    let texts: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let mut sources = pap::set_of(&texts, &Limits::default()).map_err(|_| unfit())?;
    sources.retain(|source| !left.contains(&source.id.as_str()));
    Ok(sources)
}

fn unfit() -> Failure {
    Failure::could_not_run("the example policies are not well-formed")
}

fn user(name: &str) -> Result<Uid, Failure> {
    Uid::parse("User", name).map_err(Failure::could_not_run)
}

fn role(name: &str) -> Result<Uid, Failure> {
    Uid::parse("Role", name).map_err(Failure::could_not_run)
}

#[cfg(test)]
pub(super) fn all_policies() -> Result<Vec<PolicySource>, Failure> {
    without(&[])
}
