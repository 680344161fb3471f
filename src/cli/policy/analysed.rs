//! An analysis, told.

use serde::Serialize;
use serde_json::Value;

use super::super::console::Telling;
use super::super::page::{Ink, Page};
use crate::cedar::Effect;
use crate::symbolic::{Always, Answer, Environment, Example, Finding, Kind, Report, Verdict};

/// What came of an analysis.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Analysed(pub(super) Report);

impl Telling for Analysed {
    fn tell(&self, page: &mut Page) {
        let Self(report) = self;
        let environments = report.environments.len();
        page.line(&format!(
            "{} policies, {environments} environments, {} questions to {}",
            report.count, report.questions, report.solver
        ));
        if let Some(verdict) = report.verdict {
            page.blank();
            let good = matches!(verdict, Verdict::Equivalent | Verdict::Stricter);
            page.verdict(good, sentence(verdict));
        }
        for environment in &report.environments {
            environment.tell(page);
        }
        page.blank();
        if report.findings.is_empty() {
            page.verdict(true, "every policy is needed, and none can end in an error");
        }
        for finding in &report.findings {
            finding.tell(page);
        }
        tell_open(report, page);
    }
}

const fn sentence(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Equivalent => "equivalent: every request is decided as before",
        Verdict::Stricter => "stricter: nothing is newly allowed, something is newly denied",
        Verdict::MorePermissive => "more permissive: something is newly allowed, nothing denied",
        Verdict::Incomparable => "incomparable: something is newly allowed, and something denied",
        Verdict::Undecided => "undecided: the solver did not say everything",
    }
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Equivalent => "equivalent",
        Verdict::Stricter => "stricter",
        Verdict::MorePermissive => "more permissive",
        Verdict::Incomparable => "incomparable",
        Verdict::Undecided => "undecided",
    }
}

impl Environment {
    fn tell(&self, page: &mut Page) {
        let always = match self.always {
            Some(Always::Allowed) => ", everything is allowed",
            Some(Always::Denied) => ", everything is denied",
            None => "",
        };
        let verdict = self.verdict.map_or("", word);
        let Self { principal, action, resource, .. } = self;
        page.blank();
        page.line(&format!("{principal}  {action}  {resource}  {verdict}{always}"));
        for (title, example) in
            [("newly allowed", &self.newly_allowed), ("newly denied", &self.newly_denied)]
        {
            if let Some(example) = example {
                page.inked(&format!("  {title}, for example"), Ink::Strong);
                example.tell(page);
            }
        }
    }
}

impl Example {
    fn tell(&self, page: &mut Page) {
        let text = |name: &str| match self.request.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let mut field = |name: &str, value: &str, ink| page.indented_field(4, name, value, ink);
        for name in ["principal", "action", "resource", "context"] {
            field(name, &text(name), Ink::Plain);
        }
        for entity in &self.entities {
            field("entity", &entity.to_string(), Ink::Plain);
        }
        field("now", &self.new.told(), Ink::Plain);
        if let Some(old) = &self.old {
            field("before", &old.told(), Ink::Plain);
        }
        if !self.confirmed {
            field("", "NOT confirmed: the authorizer does not decide it so", Ink::Bad);
        }
    }
}

impl Answer {
    fn told(&self) -> String {
        let names = |ids: &[crate::model::PolicyId]| {
            ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
        };
        let decided = match (self.allowed, self.determining.is_empty()) {
            (true, _) => format!("allowed by {}", names(&self.determining)),
            (false, true) => "denied: nothing permits it".to_owned(),
            (false, false) => format!("denied by {}", names(&self.determining)),
        };
        match self.errors.as_slice() {
            [] => decided,
            errors => format!("{decided}; error in {}", names(errors)),
        }
    }
}

impl Finding {
    fn tell(&self, page: &mut Page) {
        let by = self.by.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
        let others = if by.is_empty() { "several others together" } else { &by };
        let what = match self.kind {
            Kind::NeverApplies => "never applies, whatever is asked".to_owned(),
            Kind::Overridden => format!("permits nothing: all of it is forbidden by {others}"),
            Kind::Redundant => format!("permits nothing that is not permitted by {others}"),
            Kind::Shadowed => format!("forbids nothing that is not forbidden by {others}"),
            Kind::MayErr if self.effect == Effect::Forbid => {
                "may end in an error; the request is denied then".to_owned()
            }
            Kind::MayErr => "may end in an error; it does not apply then".to_owned(),
        };
        page.verdict(false, &format!("`{}` {what}", self.policy));
        if let Some(example) = &self.example {
            example.tell(page);
        }
    }
}

fn tell_open(report: &Report, page: &mut Page) {
    for open in &report.undecided {
        page.verdict(false, &format!("undecided ({}): {} {}", open.environment, open.question, open.why));
    }
    if report.left_out > 0 {
        page.verdict(false, &format!("{} environments were not looked at", report.left_out));
    }
    for assumed in &report.assumed {
        page.inked(&format!("taken for granted: {assumed}"), Ink::Faint);
    }
}
