//! Words that may not stand, or not just anywhere.

use super::imports::CORE;
use super::source::{File, Violation};

pub(crate) fn no_unsafe(file: &File) -> Vec<Violation> {
    let what = "`unsafe`; there is a safe way, or a crate that has done it";
    (0..file.len())
        .filter(|at| file.token(*at) == "unsafe")
        .map(|at| file.broken_at(at, what))
        .collect()
}

/// Each of these ends the process if a caller finds the way to it.
pub(crate) fn no_panic(file: &File) -> Vec<Violation> {
    // The clippy lint that an exception must name, by the word or mark that panics.
    let lint = |at: usize| {
        let called = matches!(file.before(at), "." | "::");
        let macro_call = file.token(at + 1) == "!";
        match file.token(at) {
            "unwrap" | "unwrap_err" if called => Some("unwrap_used"),
            "expect" | "expect_err" if called => Some("expect_used"),
            "panic" if macro_call => Some("panic"),
            "todo" if macro_call => Some("todo"),
            "unimplemented" if macro_call => Some("unimplemented"),
            "dbg" if macro_call => Some("dbg_macro"),
            "[" if is_index(file, at) => Some("indexing_slicing"),
            _ => None,
        }
    };
    let what = |at| match file.token(at) {
        "[" => "indexing can end the process; use `get`, a pattern or an iterator".to_owned(),
        word => format!("`{word}` can end the process; return an error instead"),
    };
    file.outside_tests()
        .filter(|at| lint(*at).is_some_and(|lint| !is_expected(file, *at, lint)))
        .map(|at| file.broken_at(at, what(at)))
        .collect()
}

fn is_index(file: &File, at: usize) -> bool {
    let before = file.before(at);
    let indexed = before.ends_with(|c: char| c == '_' || c.is_alphanumeric())
        || matches!(before, ")" | "]" | "?");
    // With a literal, clippy knows an array, which cannot panic, from a slice.
    let literal = file.token(at + 1).starts_with(|c: char| c.is_ascii_digit());
    let literal = literal && file.token(at + 2) == "]";
    // rustfmt writes `a[b]` as one, and a space before the `[` of any type or array.
    indexed && file.touches_before(at) && !literal
}

/// True within what an `#[expect(clippy::lint…)]` stands before.
fn is_expected(file: &File, at: usize, lint: &str) -> bool {
    (0..at).any(|from| {
        let marked = file.has(from, &["#", "[", "expect", "("]);
        marked && (from..file.close(from + 1)).any(|word| file.token(word) == lint) && {
            let end = file.close(from + 1);
            at <= file.item_end(end + 1)
        }
    })
}

/// `clock.rs` alone tells the time; everyone else is told.
pub(crate) fn no_time(file: &File) -> Vec<Violation> {
    let of_day = |at: &usize| {
        matches!(file.token(*at), "Utc" | "Local" | "SystemTime")
            && file.has(at + 1, &["::", "now"])
    };
    if file.path == "src/clock.rs" {
        return Vec::new();
    }
    let what = "reads the time of day; take it from the clock that is handed in";
    file.outside_tests().filter(of_day).map(|at| file.broken_at(at, what)).collect()
}

pub(crate) fn no_sleep(file: &File) -> Vec<Violation> {
    let sleeps = |at: &usize| file.has(*at, &["sleep", "("]) && file.is_test(*at);
    let what = "a test that sleeps is slow or wrong; wait for what it waits for";
    (0..file.len()).filter(sleeps).map(|at| file.broken_at(at, what)).collect()
}

pub(crate) fn exceptions(file: &File) -> Vec<Violation> {
    let attributes = (0..file.len()).filter(|at| {
        file.token(*at) == "#" && (file.has(at + 1, &["["]) || file.has(at + 1, &["!", "["]))
    });
    attributes.filter_map(|at| unexplained(file, at)).collect()
}

fn unexplained(file: &File, at: usize) -> Option<Violation> {
    let open = if file.token(at + 1) == "!" { at + 2 } else { at + 1 };
    let close = file.close(open);
    let has = |word: &str| (open..close).any(|at| file.has(at, &[word, "("]));
    if has("expect") {
        let reason = (open..close).find(|at| file.has(*at, &["reason", "="]));
        let given = reason.is_some_and(|at| file.token(at + 2).len() > 2);
        let what = "`expect` without a reason; add `reason = \"…\"`";
        return (!given).then(|| file.broken_at(at, what));
    }
    let given = file.rest_of_line(close).contains("// ");
    let what = "`allow` without a reason; write `#[expect(…, reason = \"…\")]`, or a comment \
                behind it where nothing may be there to expect";
    (has("allow") && !given).then(|| file.broken_at(at, what))
}

/// One room knows Cedar's inside, one knows sled's and one `webauthn-rs`'s; for all others
/// they could be something else tomorrow. Cedar's symbolic compiler speaks to a process, so
/// the room that uses it is in the shell, and speaks of policies in Cedar's public types.
pub(crate) fn libraries(file: &File) -> Vec<Violation> {
    if !file.path.starts_with("src/") {
        return Vec::new();
    }
    let at_home = |home: &str| file.room() == Some(home);
    let foreign = |at: &usize| {
        let symbolic = ["cedar_policy", "cedar_policy_symcc"].contains(&file.token(*at));
        let cedar = file.token(*at).starts_with("cedar_policy") && !at_home("cedar");
        let cedar = cedar && !(symbolic && at_home("symbolic"));
        let outer = file.before(*at) != "::";
        let sled = file.has(*at, &["sled", "::"]) && outer && !at_home("event_store");
        let keys = file.token(*at).starts_with("webauthn_rs") && !at_home("webauthn");
        cedar || sled || keys
    };
    (0..file.len())
        .filter(foreign)
        .map(|at| {
            let library = file.token(at);
            let home = match library {
                "sled" => "src/event_store/",
                key if key.starts_with("webauthn_rs") => "src/webauthn/",
                _ => "src/cedar/",
            };
            file.broken_at(at, format!("names `{library}`; only {home} may"))
        })
        .collect()
}

/// The core has no async, clock, randomness, disk or socket.
pub(crate) fn pure_core(file: &File) -> Vec<Violation> {
    if !file.room().is_some_and(|room| CORE.contains(&room)) {
        return Vec::new();
    }
    let impure = |at: &usize| {
        let word = file.token(*at);
        let of_std = matches!(word, "fs" | "net" | "env" | "process") && is_of_std(file, *at);
        let of_crate = matches!(word, "tokio" | "actix_web" | "getrandom" | "async");
        of_std || of_crate || matches!(word, "Instant" | "SystemTime")
    };
    let what = |at| format!("`{}` has no place in the core; let the shell do it", file.token(at));
    file.outside_tests().filter(impure).map(|at| file.broken_at(at, what(at))).collect()
}

/// True for `std::fs` and for `fs` in `std::{fmt, fs::File}`.
fn is_of_std(file: &File, at: usize) -> bool {
    if file.before(at) == "::" {
        return file.token(at.saturating_sub(2)) == "std";
    }
    let group = (0..at).rev().find(|from| matches!(file.token(*from), "{" | ";"));
    group.is_some_and(|open| open >= 2 && file.has(open - 2, &["std", "::", "{"]))
}
