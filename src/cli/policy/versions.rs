//! `countersign policy versions`: which versions of the policies there are.

use serde::{Deserialize, Serialize};

use super::super::client::encoded;
use super::super::console::{Console, Telling};
use super::super::failure::{Exit, Failure};
use super::super::page::{Ink, Page, second};
use super::super::table::{Column, Table};
use super::super::target::{Target, TargetFlags};
use super::show;
use super::told::{life, short, standing};
use crate::node::NodeError;
use crate::pap::{self, VersionShown, VersionWhole, VersionsShown};
use crate::projection::Stage;

/// Show the versions of the policies, from drafts to those that were in force before
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign policy versions --data ./data\n  \
    countersign policy versions 3f9c01ab77de --server https://pdp.example.com")]
pub(super) struct Versions {
    /// One of them, whole: its digest, or the first digits of it, at least six
    #[arg(value_name = "VERSION")]
    version: Option<String>,
    #[command(flatten)]
    target: TargetFlags,
}

impl Versions {
    /// Shows them.
    ///
    /// # Errors
    /// [`Failure`]: there is none of that name, or it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        match &self.version {
            Some(name) => console.tell(&One(whole(name, &self.target.target()?)?))?,
            None => console.tell(&all(&self.target)?)?,
        }
        Ok(Exit::Fine)
    }
}

fn all(target: &TargetFlags) -> Result<All, Failure> {
    match target.target()? {
        Target::Server(client) => client.get("/versions/v1", &[]),
        Target::Data(folder) => Ok(All(VersionsShown::of(&folder.world()?))),
    }
}

/// A version by its name or the beginning of it, and all that it consists of.
///
/// # Errors
/// [`Failure`]: there is none of that name, or it could not be asked.
pub(in super::super) fn whole(name: &str, target: &Target) -> Result<VersionWhole, Failure> {
    match target {
        Target::Server(client) => client.get(&format!("/versions/v1/{}", encoded(name)), &[]),
        Target::Data(folder) => {
            let world = folder.world()?;
            let version = pap::version_named(&world, name).map_err(NodeError::from)?;
            Ok(VersionWhole::of(version))
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct All(VersionsShown);

impl Telling for All {
    fn tell(&self, page: &mut Page) {
        let Self(all) = self;
        if all.versions.is_empty() {
            return page.line("no policies are in force, and none are drafted");
        }
        let columns =
            ["VERSION", "STAGE", "SINCE (UTC)", "AUTHOR", "POLICIES", "APPROVED BY", "MESSAGE"];
        let mut table = Table::new(columns.map(Column::new));
        for version in &all.versions {
            table.row(row(version));
        }
        page.table(&table);
        if all.four_eyes {
            page.blank();
            page.line("a version comes in force only after somebody else has approved it");
        }
    }
}

fn row(version: &VersionShown) -> Vec<(String, Ink)> {
    let ink = match version.stage {
        Stage::InForce => Ink::Good,
        Stage::Staged => Ink::Strong,
        Stage::Retired => Ink::Faint,
        Stage::Draft | Stage::Checked => Ink::Plain,
    };
    let approved: Vec<_> = version.approvals.iter().map(|it| it.by.as_str()).collect();
    [
        (short(&version.digest), ink),
        (standing(version), ink),
        (second(version.since), Ink::Plain),
        (version.author.clone(), Ink::Plain),
        (version.count.to_string(), Ink::Plain),
        (approved.join(", "), Ink::Plain),
        (version.message.to_string(), Ink::Plain),
    ]
    .into()
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct One(VersionWhole);

impl Telling for One {
    fn tell(&self, page: &mut Page) {
        let Self(whole) = self;
        let (digest, standing) = (whole.version.digest, standing(&whole.version));
        page.inked(&format!("version {digest} is {standing}"), Ink::Strong);
        life(&whole.version, page);
        let VersionShown { policies_digest, schema_digest, .. } = &whole.version;
        page.field("decisions", &format!("name its policies by SHA-256 {policies_digest}"));
        page.field("", &format!("and its schema by {schema_digest}"));
        for policy in &whole.policies {
            page.blank();
            show::tell(policy, page);
        }
    }
}
