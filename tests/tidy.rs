//! The house rules, checked: nobody has to remember them. Each rule is tried on the
//! tree, and on snippets that break it, so that none can fall silent.

#![cfg(test)] // so that the lints take all of this for a test

#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/words.rs"]
mod words;

use source::{File, Violation, tree};

type Rule = fn(&File) -> Vec<Violation>;

/// Fails with every place in the tree that breaks the rule.
#[track_caller]
fn assert_kept(rule: Rule) {
    let files = tree();
    assert!(files.len() >= 30, "only {} files were found: is this the tree?", files.len());
    let broken: Vec<_> = files.iter().flat_map(rule).map(|found| found.to_string()).collect();
    assert!(broken.is_empty(), "{} found:\n{}", broken.len(), broken.join("\n"));
}

/// The lines on which the rule finds this text broken.
fn found(rule: Rule, path: &str, text: &str) -> Vec<usize> {
    rule(&File::new(path, text)).into_iter().map(|found| found.line).collect()
}

/// Fails unless the rule finds each snippet broken on its first line, and takes
/// each of the others.
#[track_caller]
fn assert_bites(rule: Rule, broken: &[(&str, &str)], kept: &[(&str, &str)]) {
    for (path, text) in broken {
        assert_eq!(found(rule, path, text), [1], "not found in {path}:\n{text}");
    }
    for (path, text) in kept {
        assert_eq!(found(rule, path, text), [0; 0], "wrongly found in {path}:\n{text}");
    }
}

#[test]
fn files_are_short() {
    assert_kept(shape::file_length);
}

#[test]
fn files_are_short_is_checked() {
    let lines = |count: usize| "//\n".repeat(count);
    assert_eq!(found(shape::file_length, "src/a.rs", &lines(501)), [501]);
    assert_eq!(found(shape::file_length, "src/a.rs", &lines(500)), [0; 0]);
}

#[test]
fn functions_are_short() {
    assert_kept(shape::function_length);
}

#[test]
fn functions_are_short_is_checked() {
    let body = |lines: usize| format!("fn a() {{\n{}}}\n", "    b();\n".repeat(lines - 2));
    let nested = format!("impl A {{\n{}}}\n", body(70));
    let declared = format!("trait A {{\n    fn a(of: [u8; 2]);\n{}}}\n", "    //\n".repeat(80));
    assert_bites(
        shape::function_length,
        &[("src/a.rs", &body(71)), ("tests/a.rs", &body(71))],
        &[("src/a.rs", &body(70)), ("src/a.rs", &nested), ("src/a.rs", &declared)],
    );
}

#[test]
fn lines_are_short() {
    assert_kept(shape::columns);
}

#[test]
fn lines_are_short_is_checked() {
    let long = "é".repeat(101);
    let url = format!("// https://example.com/{}\n", "a".repeat(90));
    let aside = format!("// {long} https://example.com\n");
    let data = format!("// raw data: RFC 9106 section 5.3\n{long}\n");
    let unexplained = format!("//\n// raw data:\n{long}\n");
    assert_bites(
        shape::columns,
        &[("src/a.rs", &long), ("src/a.rs", &aside)],
        &[("src/a.rs", &"é".repeat(100)), ("src/a.rs", &url), ("src/a.rs", &data)],
    );
    assert_eq!(found(shape::columns, "src/a.rs", &unexplained), [3]);
}

#[test]
fn names_say_what_is_inside() {
    assert_kept(shape::names);
}

#[test]
fn names_say_what_is_inside_is_checked() {
    assert_bites(
        shape::names,
        &[
            ("src/utils.rs", ""),
            ("src/pdp/helpers/mod.rs", ""),
            ("tests/common/mod.rs", ""),
            ("src/session_manager.rs", ""),
            ("src/a.rs", "mod common;"),
            ("src/a.rs", "pub(crate) mod helper {}"),
        ],
        &[("src/pdp/decide.rs", "mod commonwealth; fn utils() {}")],
    );
}

#[test]
fn nothing_is_unsafe() {
    assert_kept(words::no_unsafe);
}

#[test]
fn nothing_is_unsafe_is_checked() {
    assert_bites(
        words::no_unsafe,
        &[("src/a.rs", "unsafe fn a() {}"), ("tests/a.rs", "fn a() { unsafe { b() } }")],
        &[("src/a.rs", "// unsafe\nconst A: &str = \"unsafe\"; /* unsafe /* */ unsafe */")],
    );
}

#[test]
fn nothing_panics_on_purpose() {
    assert_kept(words::no_panic);
}

#[test]
fn nothing_panics_on_purpose_is_checked() {
    let broken = [
        "fn a() { b.unwrap(); }",
        "fn a() { b.expect(\"c\"); }",
        "fn a() { b.map(Option::unwrap); }",
        "fn a() { b.unwrap_err(); }",
        "fn a() { panic!(\"b\"); }",
        "fn a() { todo!() }",
        "fn a() { unimplemented!() }",
        "fn a() { dbg!(b); }",
        "fn a() { b[c]; }",
        "fn a() { b()[..1].c() }",
        "fn a() { b.unwrap() }\n#[cfg(test)]\nmod tests {}",
        "#[expect(clippy::panic, reason = \"another\")] fn a() { b.unwrap() }",
        "#[expect(clippy::unwrap_used, reason = \"c\")] fn a() {} fn b() { c.unwrap() }",
    ];
    let kept = [
        "#[cfg(test)]\nmod tests { fn a() { b.unwrap(); c[d]; panic!() } }",
        "#[cfg(test)]\nuse a::{b, c};\n#[test]\nfn a() { b.unwrap() }",
        "#![cfg(test)]\nfn a() { b.unwrap() }",
        "#[expect(clippy::unwrap_used, reason = \"b\")]\nfn a() { b.unwrap() }",
        "#[expect(clippy::indexing_slicing, reason = \"b\")]\nlet a: [u8; 2] = b[c];",
        "fn a() { b.unwrap_or(c); d.unwrap_or_default(); }",
        "#[derive(A)] fn a<'a>(b: &'a [u8], c: [u8; 2]) -> Vec<[u8; 3]> { vec![c[0]] }",
        "fn a() { r#\"b.unwrap()\"#; '\"'; b'\\''; \"\\\"panic!()\"; } // c.unwrap()",
    ];
    assert_bites(words::no_panic, &broken.map(in_src), &kept.map(in_src));
    let anywhere = "fn a() { b.unwrap() }";
    assert_bites(words::no_panic, &[], &[("tests/a.rs", anywhere), ("benches/a.rs", anywhere)]);
}

#[test]
fn a_test_module_may_be_a_file_of_its_own() {
    let mut files = [
        File::new("src/a/mod.rs", "#[cfg(test)]\nmod laws;\nmod b;"),
        File::new("src/a/laws.rs", "fn c() { d.unwrap() }"),
        File::new("src/a/laws/e.rs", "fn c() { d.unwrap() }"),
        File::new("src/a/lawsuit.rs", "fn c() { d.unwrap() }"),
        File::new("src/a/b.rs", "fn c() { d.unwrap() }"),
    ];
    source::mark_test_modules(&mut files);
    assert_eq!(files.each_ref().map(|file| words::no_panic(file).len()), [0, 0, 0, 1, 1]);
}

fn in_src(text: &str) -> (&str, &str) {
    ("src/a.rs", text)
}

#[test]
fn time_comes_from_the_clock() {
    assert_kept(words::no_time);
}

#[test]
fn time_comes_from_the_clock_is_checked() {
    assert_bites(
        words::no_time,
        &[
            ("src/a.rs", "fn a() { chrono::Utc::now() }"),
            ("src/a.rs", "fn a() { SystemTime::now() }"),
            ("src/http/clock.rs", "fn a() { b(Utc::now) }"),
        ],
        &[
            ("src/clock.rs", "fn a() { Utc::now() }"),
            ("src/a.rs", "#[cfg(test)]\nmod tests { fn a() { Utc::now() } }"),
            ("src/a.rs", "fn a() { clock.now() }"),
        ],
    );
}

#[test]
fn tests_do_not_sleep() {
    assert_kept(words::no_sleep);
}

#[test]
fn tests_do_not_sleep_is_checked() {
    assert_bites(
        words::no_sleep,
        &[
            ("tests/a.rs", "fn a() { thread::sleep(b) }"),
            ("src/a.rs", "#[cfg(test)] mod tests { fn a() { sleep(b).await } }"),
        ],
        &[("src/a.rs", "fn a() { sleep(b) }"), ("tests/a.rs", "// sleep(a)\nfn sleeper() {}")],
    );
}

#[test]
fn exceptions_have_reasons() {
    assert_kept(words::exceptions);
}

#[test]
fn exceptions_have_reasons_is_checked() {
    let broken = [
        "#[expect(clippy::panic)] fn a() {}",
        "#[expect(clippy::panic, reason = \"\")] fn a() {}",
        "#[allow(dead_code)]\nfn a() {}",
        "#![allow(\n    dead_code,\n)]\nfn a() {}",
        "#[cfg_attr(a, expect(dead_code))] fn a() {}",
    ];
    let kept = [
        "#[expect(clippy::panic, reason = \"the process must end here\")]\nfn a() {}",
        "#[allow(dead_code)] // used on Windows only\nfn a() {}",
        "fn a() { b.expect(\"c\") }",
    ];
    assert_bites(words::exceptions, &broken.map(in_src), &kept.map(in_src));
}

#[test]
fn libraries_stay_in_their_room() {
    assert_kept(words::libraries);
}

#[test]
fn libraries_stay_in_their_room_is_checked() {
    assert_bites(
        words::libraries,
        &[
            ("src/pdp/a.rs", "use cedar_policy::PolicySet;"),
            ("src/lib.rs", "fn a(b: cedar_policy_core::ast::Expr) {}"),
            ("src/cedarish/a.rs", "use cedar_policy;"),
            ("src/sequencer/a.rs", "fn a(b: sled::Db) {}"),
            ("src/http/a.rs", "use webauthn_rs::prelude::Passkey;"),
        ],
        &[
            ("src/cedar/a.rs", "use cedar_policy::PolicySet;"),
            ("src/cedar.rs", "use cedar_policy_core::ast;"),
            ("src/event_store/sled.rs", "use sled::Db;"),
            ("src/webauthn/party.rs", "use webauthn_rs::prelude::Url;"),
            ("src/cli/a.rs", "use crate::event_store::sled; // cedar_policy"),
            ("tests/a.rs", "use cedar_policy::Authorizer; use sled::Db;"),
        ],
    );
}

#[test]
fn the_core_is_pure() {
    assert_kept(words::pure_core);
}

#[test]
fn the_core_is_pure_is_checked() {
    assert_bites(
        words::pure_core,
        &[
            ("src/model/a.rs", "use std::fs;"),
            ("src/pdp/a.rs", "use std::{fmt, net::IpAddr};"),
            ("src/authn/a.rs", "fn a() { Instant::now() }"),
            ("src/audit/a.rs", "async fn a() {}"),
            ("src/event/a.rs", "use getrandom::fill;"),
        ],
        &[
            ("src/http/a.rs", "use std::fs; async fn a() {}"),
            ("src/model/a.rs", "struct fs; use self::net::A;"),
            ("src/pdp/a.rs", "#[cfg(test)]\nmod tests { use std::fs; }"),
        ],
    );
}

#[test]
fn imports_run_one_way() {
    assert_kept(imports::one_way);
}

#[test]
fn imports_run_one_way_is_checked() {
    assert_bites(
        imports::one_way,
        &[
            ("src/model/uid.rs", "use crate::event::Event;"),
            ("src/event/fact.rs", "fn a(b: crate::pdp::Decision) {}"),
            ("src/tlog/leaf.rs", "use crate::model::Digest;"),
            ("src/pap/a.rs", "use crate::pip::B;"),
            ("src/vault/a.rs", "use crate::hasher;"),
            ("src/clock.rs", "use crate::entropy;"),
            ("src/sequencer/a.rs", "use crate::node::A;"),
            ("src/sequencer/mod.rs", "use crate::{model::{Uid, Digest}, http};"),
            ("src/http/a.rs", "pub(crate) use crate::cli::B;"),
            ("src/clock.rs", "use crate::sequencer::B;"),
            ("src/attic/a.rs", "use crate::model::Uid;"),
            ("src/pdp/a.rs", "use crate::attic::B;"),
            ("src/pdp/mod.rs", "use super::http::B;"),
        ],
        &[
            ("src/event/fact.rs", "use crate::event::Envelope; use crate::{model, tlog};"),
            ("src/http/a.rs", "use crate::{model::Uid, settings, vault, sequencer::B};"),
            ("src/pdp/mod.rs", "mod decide; use self::decide::D; use super::model::Uid;"),
            ("src/pdp/decide.rs", "use super::http::B;"),
            ("src/vault/a.rs", "use crate::entropy::Entropy;"),
            ("src/lib.rs", "pub use crate::cli::Cli;"),
            ("src/main.rs", "use countersign::cli;"),
            ("src/model/a.rs", "// crate::cli::A\nfn a() { \"crate::cli\"; }"),
        ],
    );
}

/// The compiler and clippy keep the rest; this keeps them to it.
#[test]
fn the_lints_stay_on() {
    let manifest = std::fs::read_to_string(source::root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let lints = &manifest["lints"];
    assert_eq!(lints["rust"]["unsafe_code"].as_str(), Some("forbid"));
    assert_eq!(lints["rust"]["missing_docs"].as_str(), Some("warn"));
    assert_eq!(lints["clippy"]["pedantic"]["level"].as_str(), Some("warn"));
    for lint in ["expect_used", "indexing_slicing", "panic", "string_slice", "unwrap_used"] {
        assert_eq!(lints["clippy"][lint].as_str(), Some("warn"), "clippy::{lint}");
    }
}

/// Whoever signs it off need not look for what proves a requirement.
#[test]
fn every_proof_that_is_named_is_there() {
    let page = std::fs::read_to_string(source::root().join("AUTHENTICATION.md")).unwrap();
    let named = proofs(&page);
    assert!(named.len() > 50, "{} proofs are named", named.len());
    let missing: Vec<_> = named.into_iter().filter(|(file, test)| !is_test(file, test)).collect();
    assert!(missing.is_empty(), "there is no such test: {missing:?}");
}

#[test]
fn every_proof_that_is_named_is_there_is_checked() {
    let named = proofs("| N1 | `api/login.rs::a_way_in`, `cargo test` | `a::b` |");
    assert_eq!(named, [("api/login.rs", "a_way_in")]);
    assert!(is_test("tidy.rs", "every_proof_that_is_named_is_there"));
    assert!(!is_test("tidy.rs", "proofs"), "no test");
    assert!(!is_test("tidy.rs", "every_proof"), "a part of a name");
    assert!(!is_test("nowhere.rs", "every_proof_that_is_named_is_there"));
}

/// The tests that a page names: file and function.
fn proofs(page: &str) -> Vec<(&str, &str)> {
    let quoted = page.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|text| text.split_once("::"))
        .filter(|(file, _)| file.ends_with(".rs"))
        .collect()
}

/// True if a file under `tests/` or `src/` has this test.
fn is_test(file: &str, test: &str) -> bool {
    let root = source::root();
    let texts = ["tests", "src"].map(|top| std::fs::read_to_string(root.join(top).join(file)));
    texts.into_iter().flatten().any(|text| {
        // `#[test]`, and those of runtimes, such as `#[tokio::test]`.
        text.split("test]").skip(1).any(|after| {
            let head = after.split_once("fn ").map_or("", |(_, rest)| rest);
            head.strip_prefix(test).is_some_and(|rest| rest.starts_with('('))
        })
    })
}
