//! An explanation laid out for reading: the sentence first, then policy by policy.

use serde::Serialize;

use super::super::console::Telling;
use super::super::page::{Ink, Page, second};
use crate::audit::{Explained, TakenAgain};
use crate::cedar::{ClauseWeighed, Effect, Outcome, Part, Piece, Seen, Truth};
use crate::event::Verdict;
use crate::pdp::{PolicyExplained, Role};

/// How far clauses stand in, and what they are made of further.
const INDENT: usize = 4;

/// An explanation, and what was asked in place of what was in force, in words.
#[derive(Serialize)]
pub(super) struct Answer<'a> {
    #[serde(flatten)]
    pub(super) explained: &'a Explained,
    #[serde(skip)]
    pub(super) asked: &'a str,
}

impl Telling for Answer<'_> {
    fn tell(&self, page: &mut Page) {
        let Self { explained, asked } = self;
        explained.tell_as(asked, page);
    }
}

impl Explained {
    fn tell_as(&self, asked: &str, page: &mut Page) {
        if let Some(warning) = warning(self) {
            page.inked(&warning, Ink::Bad);
            page.blank();
        }
        let ink = match self.explanation.decision {
            Verdict::Allow => Ink::Good,
            Verdict::Deny => Ink::Bad,
        };
        page.inked_paragraph(&self.explanation.sentence, ink);
        for remark in &self.explanation.remarks {
            page.paragraph(remark);
        }
        page.blank();
        self.question(asked, page);
        for role in [Role::Determined, Role::Erred, Role::Overruled, Role::Nearest] {
            let of_role = self.explanation.policies.iter().filter(|policy| policy.role == role);
            let of_role: Vec<_> = of_role.collect();
            if !of_role.is_empty() {
                page.blank();
                page.inked(heading(role, self.explanation.decision), Ink::Strong);
                of_role.into_iter().for_each(|policy| tell_policy(policy, page));
            }
        }
        if self.explanation.omitted > 0 {
            page.blank();
            page.line(&format!("{} more are not shown", self.explanation.omitted));
        }
    }
}

/// What the reader must know before anything else.
fn warning(explained: &Explained) -> Option<String> {
    let recorded = explained.recorded.as_ref()?;
    let answer = recorded.decision.as_str();
    match recorded.again.as_ref()? {
        TakenAgain::Identical => None,
        TakenAgain::Different { what } => Some(format!(
            "NOT AS RECORDED: the answer given was {answer}; taken again, it differs in {}",
            what.join(", ")
        )),
        TakenAgain::NotReplayable { reason } => Some(format!(
            "UNCERTAIN: the answer given was {answer}; it cannot be taken again: {reason}"
        )),
    }
}

impl Explained {
    fn question(&self, instead: &str, page: &mut Page) {
        if let Some(asked) = &self.explanation.asked {
            page.field("subject", &asked.principal.to_string());
            page.field("action", &asked.action.to_string());
            page.field("resource", &asked.resource.to_string());
        }
        let then = self.as_of;
        page.field("as of", &format!("entry {}, {} UTC", then.index, second(then.time)));
        if let Some(recorded) = &self.recorded {
            let told = format!("{}, in entry {}", recorded.decision.as_str(), recorded.index);
            page.field("recorded", &told);
        }
        match (self.explanation.policy_set, self.draft) {
            (_, true) => page.field("policies", &format!("{instead}, not those in force")),
            (Some(set), false) => page.field("policies", &format!("number {}", set.version)),
            (None, false) => page.field("policies", "none in force"),
        }
    }
}

const fn heading(role: Role, decision: Verdict) -> &'static str {
    match (role, decision) {
        (Role::Determined, Verdict::Allow) => "Allowed by",
        (Role::Determined, Verdict::Deny) => "Denied by",
        (Role::Erred, _) => "In error",
        (Role::Overruled, _) => "Would allow, if that did not deny",
        (Role::Nearest, _) => "Nearest to allowing it",
    }
}

fn tell_policy(policy: &PolicyExplained, page: &mut Page) {
    let weighed = &policy.weighed;
    let effect = match weighed.effect {
        Effect::Permit => "permit",
        Effect::Forbid => "forbid",
    };
    let about = policy.description.as_ref().map(|words| format!(": {words}")).unwrap_or_default();
    page.hanging(0, " ", Ink::Plain, &format!("{effect} {}{about}", weighed.policy));
    for clause in &weighed.clauses {
        // A scope that leaves something open says nothing about it.
        if clause.clause.text != clause.clause.part.as_str() {
            tell_clause(clause, page);
        }
    }
    if let Outcome::Erred { message } = &weighed.outcome {
        page.indented_field(INDENT, "error", message, Ink::Bad);
    }
}

fn tell_clause(clause: &ClauseWeighed, page: &mut Page) {
    let told = clause.clause.to_string();
    let unless = clause.clause.part == Part::Unless;
    let (mark, ink) = match (clause.holds(), &clause.truth) {
        (Some(true), _) => ("✓", Ink::Good),
        (Some(false), _) => ("✗", Ink::Bad),
        (None, Truth::Error { .. }) => ("!", Ink::Bad),
        (None, _) if clause.fails() => ("✗", Ink::Faint),
        (None, _) => ("·", Ink::Faint),
    };
    // That an exception is not met is good for its policy, and easily misread.
    let told = if unless { format!("{told}: {}", outcome(&clause.truth)) } else { told };
    page.hanging(INDENT, mark, ink, &told);
    // Where the scope holds, it says itself what was found.
    if !clause.clause.part.is_scope() || clause.fails() {
        tell_seen(INDENT + 2, &clause.values, page);
    }
    clause.pieces.iter().for_each(|piece| tell_piece(INDENT + 2, piece, page));
}

fn tell_piece(indent: usize, piece: &Piece, page: &mut Page) {
    let told = format!("{}: {}", piece.text, outcome(&piece.truth));
    page.hanging(indent, "-", Ink::Faint, &told);
    tell_seen(indent + 2, &piece.values, page);
    piece.pieces.iter().for_each(|piece| tell_piece(indent + 2, piece, page));
}

fn outcome(truth: &Truth) -> String {
    match truth {
        Truth::True => "true".to_owned(),
        Truth::False => "false".to_owned(),
        Truth::Error { message } => format!("error: {message}"),
        Truth::NotReached { alone: Some(alone) } => format!("not reached, would be {alone}"),
        Truth::NotReached { alone: None } => "not reached".to_owned(),
    }
}

fn tell_seen(indent: usize, values: &[Seen], page: &mut Page) {
    for seen in values {
        page.hanging(indent, " ", Ink::Plain, &seen.to_string());
    }
}
