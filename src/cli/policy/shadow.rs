//! `countersign policy shadow`: what the staged version would have changed so far.

use super::super::console::{Console, Telling};
use super::super::failure::{Exit, Failure};
use super::super::page::{Ink, Page, second};
use super::super::stored;
use super::super::target::{Target, TargetFlags};
use super::impact::noted;
use crate::audit::{ShadowReport, ShadowSample};
use crate::model::PolicyId;

/// Show what the staged version would have changed since it was staged
///
/// While a version is staged, every access is decided by it as well, without effect. This
/// counts where the two agree and where not, with the first decisions of each kind.
///
/// Exit code 0 if they agree, 1 if something would have been decided otherwise.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  countersign policy shadow --server https://pdp.example.com")]
pub(super) struct Shadow {
    #[command(flatten)]
    target: TargetFlags,
}

impl Shadow {
    /// Shows it.
    ///
    /// # Errors
    /// [`Failure`]: it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let report: ShadowReport = match self.target.target()? {
            Target::Server(client) => client.get("/versions/v1/shadow", &[])?,
            Target::Data(folder) => {
                let opened = folder.opened()?;
                let entry = |index| stored::entry(&opened.store, index);
                ShadowReport::of(&opened.world()?, entry)?
            }
        };
        console.tell(&report)?;
        let agree = report.would_deny == 0 && report.would_allow == 0;
        Ok(if agree { Exit::Fine } else { Exit::Refused })
    }
}

impl Telling for ShadowReport {
    fn tell(&self, page: &mut Page) {
        let Some(version) = self.version else {
            page.line("No version has been staged.");
            return;
        };
        let Self { same, would_deny, would_allow, .. } = self;
        let line =
            format!("would deny {would_deny} · would allow {would_allow} · same answer {same}");
        page.inked(&line, Ink::Strong);
        page.blank();
        page.field("version", &format!("{version} {}", self.message.as_str()));
        let since = self.since.map(|index| format!("since entry {index}")).unwrap_or_default();
        let state = if self.staged { "staged" } else { "not staged any more; counted" };
        page.field("state", &format!("{state} {since}"));
        self.samples.iter().for_each(|sample| told(sample, page));
    }
}

fn told(sample: &ShadowSample, page: &mut Page) {
    let (answer, ink) =
        if sample.would_allow { ("would allow", Ink::Good) } else { ("would deny", Ink::Bad) };
    let ShadowSample { principal, action, resource, .. } = sample;
    page.blank();
    page.marked(answer, ink, &format!("decision {}", sample.id));
    page.indented_field(2, "when", &format!("{} UTC", second(sample.time)), Ink::Plain);
    page.indented_field(2, "access", &format!("{principal} {action} {resource}"), Ink::Plain);
    let was = if sample.would_allow { "denied" } else { "allowed" };
    let would = if sample.would_allow { "allowed" } else { "denied" };
    page.indented_field(2, "was", &by(was, &sample.determining), Ink::Plain);
    let would = match sample.note {
        Some(note) => format!("{would}: {}", noted(note)),
        None => by(would, &sample.would_determine),
    };
    page.indented_field(2, "would be", &would, Ink::Plain);
    if !sample.would_err.is_empty() {
        page.indented_field(2, "in error", &names(&sample.would_err), Ink::Bad);
    }
}

fn by(answer: &str, policies: &[PolicyId]) -> String {
    if policies.is_empty() {
        return format!("{answer}: no policy permits it");
    }
    format!("{answer} by {}", names(policies))
}

fn names(policies: &[PolicyId]) -> String {
    policies.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}
