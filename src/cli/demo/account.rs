//! The account: of each step what was asked, what was to come of it, and what did.

use serde::Serialize;

use super::super::console::{Console, Format, Telling};
use super::super::failure::Failure;
use super::super::page::{Ink, Page};
use crate::model::{Index, PolicyId};

/// One thing that somebody does.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    /// What it is about.
    pub(super) title: String,
    /// What is asked, without secrets.
    pub(super) request: String,
    /// What should be answered.
    pub(super) expected: String,
    /// What is answered.
    pub(super) answer: String,
    /// For a question about an access: how it was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decision: Option<Decision>,
    /// What else the log has of it.
    pub(super) recorded: Vec<Entry>,
}

/// How an access was decided, from the record.
#[derive(Debug, Serialize)]
pub(super) struct Decision {
    /// Whether it was allowed.
    pub(super) allowed: bool,
    /// The policies that determined it.
    pub(super) because: Vec<Reason>,
    /// What was known of the session that was presented.
    pub(super) session: String,
    /// Where the record is.
    pub(super) index: String,
    /// The version of the policies.
    pub(super) policies: String,
    /// When the record counts as made.
    pub(super) durability: String,
}

/// A policy, and what it says it is for.
#[derive(Debug, Serialize)]
pub(super) struct Reason {
    pub(super) policy: PolicyId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
}

/// An entry of the log.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    pub(super) index: Index,
    pub(super) what: String,
}

impl Step {
    /// True if the answer is the one that should come.
    pub(super) fn is_as_told(&self) -> bool {
        self.answer == self.expected
    }
}

impl Telling for Step {
    fn tell(&self, page: &mut Page) {
        page.indented_field(4, "asked", &self.request, Ink::Plain);
        match &self.decision {
            Some(decision) => decision.tell_on(page),
            None => page.indented_field(4, "answer", &self.answer, Ink::Plain),
        }
        for (at, Entry { index, what }) in self.recorded.iter().enumerate() {
            let name = if at == 0 { "recorded" } else { "" };
            page.indented_field(4, name, &format!("entry {index}: {what}"), Ink::Plain);
        }
        if self.is_as_told() {
            page.indented_verdict(4, true, "as told");
        } else {
            let Self { expected, answer, .. } = self;
            page.indented_verdict(4, false, &format!("expected {expected}, got {answer}"));
        }
    }
}

impl Decision {
    fn tell_on(&self, page: &mut Page) {
        let Self { allowed, session, index, policies, durability, .. } = self;
        let (answer, ink) = if *allowed { ("ALLOW", Ink::Good) } else { ("DENY", Ink::Bad) };
        page.indented_field(4, "session", session, Ink::Plain);
        page.indented_field(4, "decision", answer, ink);
        if self.because.is_empty() {
            page.indented_field(4, "because", "no policy permits it", Ink::Plain);
        }
        for (at, Reason { policy, description }) in self.because.iter().enumerate() {
            let name = if at == 0 { "because" } else { "" };
            let text = match description {
                Some(description) => format!("{policy}: {description}"),
                None => policy.to_string(),
            };
            page.indented_field(4, name, &text, Ink::Plain);
        }
        let recorded = format!(
            "entry {index}, durable ({durability}) before the answer; policies version {policies}"
        );
        page.indented_field(4, "recorded", &recorded, Ink::Plain);
    }
}

/// The steps so far, told to people as they are taken.
pub(super) struct Account<'c> {
    console: &'c mut Console,
    steps: Vec<Step>,
}

impl<'c> Account<'c> {
    /// Nothing has happened yet.
    pub(super) const fn new(console: &'c mut Console) -> Self {
        Self { console, steps: Vec::new() }
    }

    /// A new part of the story begins.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn part(&mut self, title: &str) -> Result<(), Failure> {
        if self.console.format() == Format::Json {
            return Ok(());
        }
        let mut page = self.console.page();
        page.blank();
        page.inked(title, Ink::Strong);
        self.console.show(page)
    }

    /// Takes a step down.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn add(&mut self, step: Step) -> Result<(), Failure> {
        if self.console.format() == Format::Text {
            let mut page = self.console.page();
            page.blank();
            let number = self.steps.len() + 1;
            page.marked(&format!("{number:>2} "), Ink::Faint, &step.title);
            step.tell(&mut page);
            self.console.show(page)?;
        }
        self.steps.push(step);
        Ok(())
    }

    /// All of them.
    pub(super) fn into_steps(self) -> Vec<Step> {
        self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::console::Layout;
    use super::*;

    fn step(answer: &str) -> Step {
        Step {
            title: "A wrong password".to_owned(),
            request: "POST /auth/v1/login".to_owned(),
            expected: "401 login_failed".to_owned(),
            answer: answer.to_owned(),
            decision: None,
            recorded: vec![Entry { index: Index(7), what: "a password was refused".to_owned() }],
        }
    }

    fn told(step: &Step) -> String {
        let mut page = Page::new(Layout { columns: 100, narrow: false, colour: false });
        step.tell(&mut page);
        page.into_lines().join("\n")
    }

    #[test]
    fn a_step_says_whether_it_went_as_told() {
        let good = told(&step("401 login_failed"));
        assert!(good.ends_with("✓ as told") && good.contains("entry 7: a password was refused"));
        let bad = told(&step("200"));
        assert!(bad.ends_with("✗ expected 401 login_failed, got 200"), "{bad}");
    }
}
