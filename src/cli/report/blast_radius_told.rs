//! The report on a blast radius, laid out for people.

use std::collections::BTreeMap;

use super::super::console::Telling;
use super::super::page::{Ink, Page, second};
use super::super::table::{Column, Table};
use super::conditions::Conditions;
use crate::audit::{BlastRadius, Jewel};
use crate::model::PolicyId;

/// How many lines a list has before it only counts.
const LINES_MAX: usize = 40;

impl Telling for BlastRadius {
    fn tell(&self, page: &mut Page) {
        head(self, page);
        totals(self, page);
        page.blank();
        steps(self, page);
        jewels(&self.jewels, page);
        choke(self, page);
        difference(self, page);
        page.blank();
        page.paragraph(&model(self));
    }
}

fn head(report: &BlastRadius, page: &mut Page) {
    let (taken, then) = (&report.taken, report.as_of);
    let with = if taken.is_person {
        format!(" with {}", taken.assurance.words())
    } else {
        ", which has no session,".to_owned()
    };
    page.inked(&format!("What {}{with} could reach", taken.principal), Ink::Strong);
    let version = match report.policies {
        _ if report.draft => Some(", by a draft, not what is in force".to_owned()),
        policies => policies.map(|it| format!(", policies number {}", it.version)),
    };
    page.line(&format!(
        "as of entry {}, {} UTC{}",
        then.index,
        second(then.time),
        version.unwrap_or_default()
    ));
}

fn totals(report: &BlastRadius, page: &mut Page) {
    let (all, estate) = (report.reached(), report.estate);
    let percent = (all * 100).checked_div(estate).unwrap_or(0);
    page.blank();
    for (hop, within) in (1..).zip(&report.within) {
        let hops = if hop == 1 { "1 hop".to_owned() } else { format!("{hop} hops") };
        page.field(&hops, &format!("{within} of {estate}"));
    }
    page.field("in all", &format!("{all} of {estate} ({percent} %)"));
    let (reached, jewels) = (report.jewels.len(), report.jewels_there_are);
    let ink = if reached > 0 { Ink::Bad } else { Ink::Good };
    page.field_in("jewels", &format!("{reached} of {jewels} crown jewels"), ink);
    for why in &report.left_out {
        page.field_in("not all", why, Ink::Bad);
    }
}

fn steps(report: &BlastRadius, page: &mut Page) {
    let all = &report.steps;
    match (all.is_empty(), report.complete) {
        (true, true) => return page.verdict(true, "nothing can be reached"),
        (true, false) => return page.verdict(false, "nothing is known to be reached"),
        (false, _) => {}
    }
    let columns = ["HOP", "FROM", "ACTION", "TO", "LAST USED", "BY"].map(Column::new);
    let (mut table, mut conditions) = (Table::new(columns), Conditions::default());
    for step in all.iter().take(LINES_MAX) {
        let others = if step.others > 0 { format!(" (+{})", step.others) } else { String::new() };
        let need = step.need.as_ref().map(|need| conditions.mark(format!("with {need}")));
        let need = need.map(|mark| format!(" if {mark}")).unwrap_or_default();
        let onward = step.onward.as_ref().map(|uid| format!("; goes on as {uid}"));
        let (mark, ink) = if step.crown_jewel { ("◆ ", Ink::Bad) } else { ("", Ink::Plain) };
        let last = step.used.last.map_or_else(|| "never".to_owned(), second);
        table.row([
            (step.hop.to_string(), Ink::Plain),
            (format!("{}{others}", step.from.id()), Ink::Plain),
            (step.action.id().to_owned(), Ink::Plain),
            (format!("{mark}{}", step.to), ink),
            (last, Ink::Plain),
            (format!("{}{need}{}", ids(&step.by), onward.unwrap_or_default()), Ink::Plain),
        ]);
    }
    page.table(&table);
    if all.len() > LINES_MAX {
        page.line(&format!("and {} more: see --format json", all.len() - LINES_MAX));
    }
    conditions.tell(page);
}

fn jewels(all: &[Jewel], page: &mut Page) {
    if all.is_empty() {
        return;
    }
    page.blank();
    page.inked("Crown jewels, and the shortest way to each", Ink::Strong);
    for jewel in all.iter().take(LINES_MAX) {
        let hops = if jewel.hop == 1 { "1 hop" } else { &format!("{} hops", jewel.hop) };
        page.verdict(false, &format!("{} in {hops}", jewel.uid));
        for step in &jewel.path {
            let (from, action, to) = (&step.from, step.action.id(), &step.to);
            page.line(&format!("    {from} {action} {to}  by {}", ids(&step.by)));
        }
    }
}

fn choke(report: &BlastRadius, page: &mut Page) {
    page.blank();
    let unweighed = match report.unweighed {
        0 => String::new(),
        some => format!(", of those that allow most ({some} that allow no more were not weighed)"),
    };
    match &report.choke {
        None if !report.complete => {
            page.line("Which permit cuts most is not said, for not all was decided.");
        }
        None => page.paragraph(&format!("No permit alone makes a difference{unweighed}.")),
        Some(choke) => page.paragraph(&format!(
            "Without the permit `{}` {} would be left of {}, and {} crown jewels fewer would be \
             reached: no other permit alone cuts more{unweighed}.",
            choke.policy,
            choke.left,
            report.reached(),
            choke.jewels_cut
        )),
    }
}

fn difference(report: &BlastRadius, page: &mut Page) {
    let Some(found) = &report.difference else { return };
    page.blank();
    page.inked(&format!("Otherwise than as of {}", found.from), Ink::Strong);
    let (was, is) = (found.reached, report.reached());
    let jewels = report.jewels.len();
    page.line(&format!(
        "{was} were reached, now {is}; crown jewels {}, now {jewels}",
        found.jewels
    ));
    for uid in found.gained.iter().take(LINES_MAX) {
        page.verdict(false, &format!("{uid} is reached now"));
    }
    for uid in found.lost.iter().take(LINES_MAX) {
        page.verdict(true, &format!("{uid} is reached no more"));
    }
}

fn ids(all: &[PolicyId]) -> String {
    all.iter().map(PolicyId::as_str).collect::<Vec<_>>().join(", ")
}

/// What the figures rest on.
fn model(report: &BlastRadius) -> String {
    let mut by_attribute: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (action, attribute) in &report.pivots {
        by_attribute.entry(attribute).or_default().push(action);
    }
    let pivots = by_attribute.into_iter().map(|(attribute, actions)| {
        let actions = actions.join(" or ");
        format!("whoever may {actions} goes on as what `{attribute}` of the resource names")
    });
    let pivots = pivots.collect::<Vec<_>>().join("; ");
    let pivots =
        if pivots.is_empty() { "the schema declares no pivots".to_owned() } else { pivots };
    format!(
        "The model: {pivots}. Only who was taken over at the start has a session, begun at that \
         moment; whoever is taken over on the way acts without one. Applications are supposed to \
         say what helps, as far as the schema lets them and policies listen to it."
    )
}
