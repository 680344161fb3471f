//! Which room may know which.

use super::source::{File, Violation};

/// The rooms, core first. A room knows those of earlier lines, never its own line's
/// others nor a later one.
const ORDER: [&[&str]; 16] = [
    &["model"],
    &["tlog"],
    &["event"],
    &["cedar"],
    &["projection"],
    &["pdp"],
    &["pap", "pip", "authn"],
    &["checks"],
    &["audit"],
    &["clock", "entropy"],
    &[
        "settings",
        "symbolic",
        "telemetry",
        "hasher",
        "vault",
        "webauthn",
        "event_store",
        "checkpoint",
    ],
    &["snapshot"],
    &["sequencer"],
    &["node"],
    &["http"],
    &["cli"],
];

/// The rooms without effects.
pub(crate) const CORE: [&str; 11] = [
    "model",
    "tlog",
    "event",
    "cedar",
    "projection",
    "pdp",
    "pap",
    "pip",
    "authn",
    "checks",
    "audit",
];

pub(crate) fn one_way(file: &File) -> Vec<Violation> {
    let Some(room) = file.room() else { return Vec::new() };
    let Some(line) = line_of(room) else {
        let what = format!("`{room}` has no place in the order of rooms; give it one");
        return vec![file.broken(1, what)];
    };
    named(file)
        .into_iter()
        .filter_map(|at| {
            let other = file.token(at);
            let what = match line_of(other) {
                _ if other == room => return None,
                Some(theirs) if theirs < line && room != "tlog" => return None,
                Some(_) if room == "tlog" => "`tlog` knows nobody".to_owned(),
                Some(theirs) if theirs == line => format!("`{room}` does not know `{other}`"),
                Some(_) => format!("`{room}` comes before `{other}` and does not know it"),
                None => format!("`{other}` has no place in the order of rooms; give it one"),
            };
            Some(file.broken_at(at, what))
        })
        .collect()
}

fn line_of(room: &str) -> Option<usize> {
    ORDER.iter().position(|line| line.contains(&room))
}

/// The tokens that name a room: behind `crate::`, in `crate::{…}`, and behind
/// `super::` where that is the crate's root.
fn named(file: &File) -> Vec<usize> {
    let room = file.room().unwrap_or_default();
    let is_top = file.path == format!("src/{room}.rs") || file.path == format!("src/{room}/mod.rs");
    let mut found = Vec::new();
    for at in 0..file.len() {
        let below = file.has(at, &["crate", "::"]);
        let above = file.has(at, &["super", "::"]) && file.before(at) != "::" && is_top;
        if below && file.token(at + 2) == "{" {
            found.extend(firsts(file, at + 2));
        } else if below || above && line_of(file.token(at + 2)).is_some() && !file.is_test(at) {
            found.push(at + 2);
        }
    }
    found
}

/// The first word of each branch of `{a::b, c::{d}}`.
fn firsts(file: &File, open: usize) -> Vec<usize> {
    let (mut found, mut at) = (Vec::new(), open + 1);
    let close = file.close(open);
    while at < close {
        found.push(at);
        while at < close && file.token(at) != "," {
            at = if file.token(at) == "{" { file.close(at) } else { at } + 1;
        }
        at += 1;
    }
    found
}
