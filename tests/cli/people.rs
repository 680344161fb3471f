//! `enrol` and `login`: a person sets a password, a second factor, and gets a token.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use countersign::authn::code_at;
use countersign::clock::{Clock as _, SystemClock};

use crate::binary::{Ground, PASSWORD, Said, Server, seed, text};

/// A served organisation and its administrator's ticket.
fn opened() -> (Ground, Server, String) {
    let ground = Ground::new();
    let ticket = ground.found();
    let server = ground.serve(&["--log-level", "warn"]);
    (ground, server, ticket)
}

/// Runs a command with these lines on its standard input.
pub fn typed(ground: &Ground, arguments: &[&str], lines: &[&str]) -> Said {
    let mut command = ground.program(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // A program that refuses before it reads anything has closed its end.
    let _refused = input.write_all((lines.join("\n") + "\n").as_bytes());
    drop(input);
    Said::of(child.wait_with_output().unwrap())
}

/// Goal: the article's whole course, by hand: a ticket, a password, a second factor, and
/// then what wants both.
#[test]
fn a_person_enrols_logs_in_and_administers() {
    let (ground, server, ticket) = opened();
    let enrol = ["enrol", "--server", &server.url];
    typed(&ground, &enrol, &[&ticket, "short"]).ended(1);
    let enrolled = typed(&ground, &enrol, &[&ticket, PASSWORD]).done();
    assert!(enrolled.out.contains("`admin` can log in"), "{enrolled:?}");
    let used = typed(&ground, &enrol, &[&ticket, PASSWORD]).ended(1);
    assert!(used.err.starts_with("countersign: "), "{used:?}");

    let login = ["login", "--server", &server.url, "--username", "admin"];
    let wrong = typed(&ground, &login, &["not seven quiet harbours"]).ended(1);
    assert!(!format!("{wrong:?}").contains("harbours"));
    let weak = typed(&ground, &login, &[PASSWORD]).done();
    assert!(weak.err.contains("--set-up-mfa") && weak.err.contains("AAL1"), "{weak:?}");
    let weak = exported(&weak.out);
    let refused = users(&ground, &server, &weak).ended(1);
    assert!(refused.err.contains("system-person-mfa"), "{refused:?}");

    let strong = set_up(&ground, &login);
    let users = users(&ground, &server, &exported(&strong)).done();
    assert!(users.out.contains("password and code"), "{users:?}");
    sessions(&ground, &server, &exported(&strong));
    erasures(&ground, &server, &exported(&strong));
    // The second factor is asked for from now on.
    let no_code = typed(&ground, &login, &[PASSWORD]).ended(2);
    assert!(no_code.err.contains("no code"), "{no_code:?}");
    let json = [&login[..], &["--format", "json"]].concat();
    let no_digits = typed(&ground, &json, &[PASSWORD, "abcdef"]).ended(1);
    assert!(no_digits.err.contains("\"code\":\"bad_code\""), "{no_digits:?}");
}

#[test]
fn a_program_logs_in_too() {
    let (ground, server, ticket) = opened();
    let json = ["--server", &server.url, "--format", "json"];
    let enrolled = typed(&ground, &[&["enrol"], &json[..]].concat(), &[&ticket, PASSWORD]);
    assert_eq!(enrolled.done().json()["person"], "admin");
    let login = [&["login", "--username", "admin"], &json[..]].concat();
    let session = typed(&ground, &login, &[PASSWORD]).done().json();
    assert!(text(&session, "token").starts_with("cs_token_"), "another kind of token");
    assert_eq!(session["session"]["aal"], 1);
    typed(&ground, &["login", "--username", "admin"], &[PASSWORD]).ended(2);
}

/// Who is in is shown, and put out; and who has lost everything begins anew.
fn sessions(ground: &Ground, server: &Server, token: &str) {
    let say = |asked: &[&str]| {
        let all = [&["user"], asked, &["--server", &server.url, "--format", "json"]].concat();
        Said::of(ground.program(&all).env("COUNTERSIGN_TOKEN", token).output().unwrap())
    };
    let ticket = say(&["create", "dora"]).done().json();
    let enrol = ["enrol", "--server", &server.url];
    typed(ground, &enrol, &[&text(&ticket, "ticket"), PASSWORD]).done();
    let login = ["login", "--server", &server.url, "--username", "dora"];
    for _ in 0..3 {
        typed(ground, &login, &[PASSWORD]).done();
    }
    let shown = || say(&["sessions", "dora"]).done().json()["sessions"].as_array().unwrap().clone();
    assert_eq!(shown().len(), 3);
    let first = text(&shown()[0], "id");
    say(&["sessions", "dora", "--end", &first]).done();
    assert!(shown().iter().all(|row| text(row, "id") != first) && shown().len() == 2);
    let again = say(&["sessions", "dora", "--end", &first]).ended(1);
    assert!(again.err.contains("session_unknown"), "{again:?}");
    say(&["sessions", "dora", "--end-all", "--reason", "a stolen laptop"]).done();
    assert!(shown().is_empty());
    let anew = say(&["re-enrol", "dora"]).done().json();
    typed(ground, &login, &[PASSWORD]).ended(1);
    let fresh = "eight loud harbours at dawn";
    typed(ground, &enrol, &[&text(&anew, "ticket"), fresh]).done();
    typed(ground, &login, &[fresh]).done();
}

/// What nobody can undo is an administrator's to do, and no token's.
fn erasures(ground: &Ground, server: &Server, token: &str) {
    let say = |asked: &[&str], token: &str| {
        let all = [asked, &["--server", &server.url, "--format", "json"]].concat();
        Said::of(ground.program(&all).env("COUNTERSIGN_TOKEN", token).output().unwrap())
    };
    say(&["user", "create", "alice"], token).done();
    let made = say(&["token", "create", "--scope", "admin"], token).done().json();
    let refused = say(&["user", "erase", "alice"], &text(&made, "token")).ended(1);
    assert!(refused.err.contains("may not `erase`"), "{refused:?}");
    say(&["user", "erase", "alice", "--reason", "asked for it"], token).done();
    say(&["entities", "erase", "User::\"bob\""], token).done();
    for (asked, code) in [
        (["user", "erase", "alice"], "person_erased"),
        (["user", "erase", "nobody"], "person_unknown"),
        (["user", "erase", "admin"], "last_administrator"),
        (["entities", "erase", "User::\"nobody\""], "nothing_personal"),
        (["key", "export", "x"], "give --data DIR"),
    ] {
        let said = say(&asked, token);
        assert!(said.err.contains(code), "{said:?}");
    }
    let users = say(&["entities", "list", "--type", "User"], token).done();
    assert!(!users.out.contains("bob@") && users.out.contains("carol@example.org"));
}

/// What `eval "$(countersign login …)"` would set.
fn exported(out: &str) -> String {
    out.trim().strip_prefix("export COUNTERSIGN_TOKEN=").unwrap().to_owned()
}

fn users(ground: &Ground, server: &Server, token: &str) -> Said {
    let mut command = ground.program(&["user", "list", "--server", &server.url]);
    Said::of(command.env("COUNTERSIGN_TOKEN", token).output().unwrap())
}

/// Logs in, reads the new secret off the second output as a person does, and types the
/// code of its authenticator.
fn set_up(ground: &Ground, login: &[&str]) -> String {
    let mut command = ground.program(&[login, &["--set-up-mfa"]].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{PASSWORD}").unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let secret = lines.find_map(|line| Some(line.trim().strip_prefix("secret")?.trim().to_owned()));
    let code = code_at(&seed(&secret.unwrap()), SystemClock.now());
    writeln!(input, "{}", *code).unwrap();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    let told: Vec<_> = lines.collect();
    assert!(child.wait().unwrap().success(), "{told:?}");
    assert!(told.iter().any(|line| line.contains("AAL2")), "{told:?}");
    out
}
