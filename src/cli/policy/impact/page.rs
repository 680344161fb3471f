//! An impact laid out for people.

use super::super::super::console::Telling;
use super::super::super::page::{Ink, Page, second};
use super::super::super::table::{Column, Table};
use crate::audit::{Counts, FlipReasons, ImpactReport, Novelty, Ranking, Sample};
use crate::event::Note;
use crate::model::PolicyId;
use crate::node::Impacted;

/// How many names of each sort are shown.
const NAMES_SHOWN: usize = 8;
/// How many kinds of change are shown.
const SAMPLES_SHOWN: usize = 10;

impl Telling for Impacted {
    fn tell(&self, page: &mut Page) {
        let Self { report, took_ms, threads } = self;
        let ImpactReport { would_deny, would_allow, unchanged, not_replayable, .. } = report;
        let recorded = format!(
            "would deny {would_deny} · would allow {would_allow} · unchanged {unchanged} · \
             not replayable {not_replayable}"
        );
        if report.of_these_already.total() + report.taken_back.total() == 0 {
            page.inked(&recorded, Ink::Strong);
            page.blank();
        } else {
            let Counts { would_deny, would_allow } = report.this_change;
            let line = format!("this change: would deny {would_deny} · would allow {would_allow}");
            page.inked(&line, Ink::Strong);
            page.blank();
            page.field("recorded", &recorded);
            beside_in_force(report, page);
        }
        window(report, page);
        let seconds = took_ms / 1_000;
        let tenths = took_ms % 1_000 / 100;
        let cores = if *threads == 1 { "thread" } else { "threads" };
        page.field("took", &format!("{seconds}.{tenths} s with {threads} {cores}"));
        for (what, ranking) in [
            ("WHO", &report.principals),
            ("DOES WHAT", &report.actions),
            ("TO WHAT", &report.resources),
            ("BY POLICY", &report.policies),
        ] {
            ranked(what, ranking, page);
        }
        samples(report, page);
    }
}

/// How what was recorded and what is in force now differ, as far as the draft meets it.
fn beside_in_force(report: &ImpactReport, page: &mut Page) {
    let (already, taken_back) = (report.of_these_already, report.taken_back);
    let both = |counts: Counts| {
        let Counts { would_deny, would_allow } = counts;
        format!("would deny {would_deny} · would allow {would_allow}")
    };
    if already.total() > 0 {
        let told = format!("{}: what is in force now answers so too", both(already));
        page.field("already so", &told);
    }
    if taken_back.total() > 0 {
        let told = both(taken_back);
        let told = format!("{told}: as recorded, where what is in force now answers otherwise");
        page.field("taken back", &told);
    }
}

fn window(report: &ImpactReport, page: &mut Page) {
    let accesses = match report.oldest.zip(report.newest) {
        Some((oldest, newest)) => {
            let (oldest, newest) = (second(oldest), second(newest));
            format!("{} recorded from {oldest} to {newest} UTC", report.decisions)
        }
        None => "none recorded".to_owned(),
    };
    page.field("accesses", &accesses);
    if report.unchanged_for_other_reasons > 0 {
        let count = report.unchanged_for_other_reasons;
        page.field("unchanged", &format!("{count} of them for other reasons than recorded"));
    }
    for (why, count) in &report.not_replayable_reasons {
        page.field("cannot say", &format!("{count}: {}", plainly(why)));
    }
}

/// A reason in a sentence, where its word alone is not plain.
fn plainly(why: &str) -> &str {
    match why {
        "erased" => "may rest on something personal that has been erased",
        "sealed" => "may rest on something personal whose key is not at hand",
        other => other,
    }
}

fn ranked(what: &'static str, ranking: &Ranking, page: &mut Page) {
    if ranking.first.is_empty() {
        return;
    }
    page.blank();
    let number = |head| Column::new(head).right();
    let columns = [number("WOULD DENY"), number("WOULD ALLOW"), Column::new(what)];
    let mut table = Table::new(columns);
    let mut row = |deny: u64, allow: u64, name: String, ink| {
        let counts = [deny, allow].map(|count| (count.to_string(), Ink::Plain));
        table.row(counts.into_iter().chain([(name, ink)]));
    };
    for one in ranking.first.iter().take(NAMES_SHOWN) {
        row(one.counts.would_deny, one.counts.would_allow, one.name.clone(), Ink::Plain);
    }
    let hidden = ranking.first.get(NAMES_SHOWN..).unwrap_or_default();
    let mut rest = ranking.others;
    for one in hidden {
        rest.would_deny += one.counts.would_deny;
        rest.would_allow += one.counts.would_allow;
    }
    if rest.total() > 0 {
        let more = hidden.len() as u64 + ranking.more;
        row(rest.would_deny, rest.would_allow, format!("{more} more"), Ink::Faint);
    }
    page.table(&table);
}

fn samples(report: &ImpactReport, page: &mut Page) {
    for sample in report.samples.iter().take(SAMPLES_SHOWN) {
        page.blank();
        told(sample, page);
    }
    let hidden: u64 = report.samples.iter().skip(SAMPLES_SHOWN).map(|sample| sample.count).sum();
    let hidden = hidden + report.other_samples;
    if hidden > 0 {
        page.blank();
        page.line(&format!("{hidden} more of other kinds: --format json tells more of them"));
    }
}

fn told(sample: &Sample, page: &mut Page) {
    let Sample { count, flip } = sample;
    let (answer, ink) =
        if flip.would_allow { ("would allow", Ink::Good) } else { ("would deny", Ink::Bad) };
    let times = if *count == 1 { "once".to_owned() } else { format!("{count} times") };
    page.marked(answer, ink, &format!("{times}, such as decision {}", flip.id));
    let (who, what, which) = (&flip.principal, &flip.action, &flip.resource);
    page.indented_field(2, "when", &format!("{} UTC", second(flip.time)), Ink::Plain);
    page.indented_field(2, "access", &format!("{who} {what} {which}"), Ink::Plain);
    if flip.novelty == Novelty::Already {
        let what = "what is in force now answers so already: not this change's doing";
        page.indented_field(2, "already", what, Ink::Faint);
    }
    let was = match flip.novelty {
        Novelty::TakenBack => "is now",
        Novelty::New | Novelty::Already => "was",
    };
    page.indented_field(2, was, &because(&flip.before, !flip.would_allow), Ink::Plain);
    clause(&flip.before, page);
    page.indented_field(2, "would be", &because(&flip.after, flip.would_allow), Ink::Plain);
    clause(&flip.after, page);
}

/// The clause that an answer turned on, and what it found.
fn clause(reasons: &FlipReasons, page: &mut Page) {
    let Some(turned) = &reasons.clause else { return };
    let held = if turned.held { "held" } else { "did not hold" };
    let mut line = format!("`{}`: {} {held}", turned.policy, turned.clause);
    if !turned.found.is_empty() {
        line = format!("{line}: {}", turned.found.join(", "));
    }
    page.indented_field(2, "clause", &line, Ink::Faint);
}

/// An answer and what it rests on, in words.
fn because(reasons: &FlipReasons, allowed: bool) -> String {
    let answer = if allowed { "allowed" } else { "denied" };
    let names =
        |ids: &[PolicyId]| ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
    let told = match reasons.note {
        Some(note) => format!("{answer}: {}", noted(note)),
        None if reasons.determining.is_empty() => format!("{answer}: no policy permits it"),
        None => format!("{answer} by {}", names(&reasons.determining)),
    };
    if reasons.errors.is_empty() {
        return told;
    }
    let erred: Vec<_> = reasons.errors.iter().map(|error| error.policy.clone()).collect();
    format!("{told}; in error: {}", names(&erred))
}

/// A note in words.
pub(in super::super) const fn noted(note: Note) -> &'static str {
    match note {
        Note::NoPolicies => "no policies are in force",
        Note::UnknownType => "the schema does not know such a subject or resource",
        Note::UnknownAction => "the schema does not know the action",
        Note::DoesNotApply => "the action is not for such a subject and resource",
        Note::ContextIncomplete => "the context lacks what the schema requires",
        Note::ForbidErred => "a forbid could not be evaluated",
        Note::Reserved => "it names Countersign's own administration",
        Note::KeyMissing => "the key of a personal value was missing",
    }
}
