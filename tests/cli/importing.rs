//! `user import` and `user compromised`: people from another system.

use std::fs;

use crate::binary::{Ground, PASSWORD};
use crate::people::typed;

/// What Python's bcrypt 5.0 made of `correct horse battery`, at its lowest cost.
const BCRYPT: &str = "$2b$04$uzfqreZhByPpy4t9SOQLKOr6FdXgsNL4CmazYolgGehfYsP1d1IM2";

/// Goal: a migration is one command, says what it did not take, and repeats no hash.
#[test]
fn people_are_imported_into_a_stopped_directory_and_listed_until_they_log_in() {
    let ground = Ground::new();
    ground.found();
    let file = ground.at("people.csv");
    let lines = format!("username,hash\ncarol,{BCRYPT}\nadmin,{BCRYPT}\ndave,$2b$31$nothing\n");
    fs::write(&file, lines).unwrap();
    let (file, data) = (file.display().to_string(), ground.at("data").display().to_string());

    let told = ground.run(&["user", "import", &file, "--data", &data]).ended(1);

    assert!(told.out.contains("1 imported, 2 refused"), "{told:?}");
    assert!(told.out.contains("`admin`: `admin` is registered already"), "{told:?}");
    assert!(told.out.contains("`dave`: a password hash is"), "{told:?}");
    assert!(!told.out.contains("$2b$04"), "{told:?}");
    let list = ground.run(&["user", "list", "--data", &data]).done();
    assert!(list.out.contains("password, imported as bcrypt"), "{list:?}");

    let why = ["--reason", "found in a leak", "--data", &data];
    let command = [&["user", "compromised", "carol"], &why[..]].concat();
    let told = ground.run(&command).done();
    assert!(told.out.contains("`carol` must set another password"), "{told:?}");
    let list = ground.run(&["user", "list", "--data", &data]).done();
    assert!(list.out.contains("password, to be changed"), "{list:?}");
}

/// Goal: who must change their password is told how, and can.
#[test]
fn a_compromised_password_is_changed_from_the_command_line() {
    let ground = Ground::new();
    let ticket = ground.found();
    let data = ground.data();
    let server = ground.serve(&["--log-level", "warn"]);
    typed(&ground, &["enrol", "--server", &server.url], &[&ticket, PASSWORD]).done();
    server.terminate();
    server.ended();
    ground.run(&["user", "compromised", "admin", "--data", &data]).done();

    let server = ground.serve(&["--log-level", "warn"]);
    let login = ["login", "--server", &server.url, "--username", "admin"];
    let told = typed(&ground, &login, &[PASSWORD]).done();
    assert!(told.err.contains("must be changed"), "{told:?}");
    let file = ground.at("token");
    fs::write(&file, told.out.trim().strip_prefix("export COUNTERSIGN_TOKEN=").unwrap()).unwrap();
    let file = file.display().to_string();
    let command = ["password", "--server", &server.url, "--token-file", &file];
    typed(&ground, &command, &[PASSWORD, "short"]).ended(1);
    let new = "nine brass lanterns by the canal";
    let told = typed(&ground, &command, &[PASSWORD, new]).done();
    assert!(told.out.starts_with("export COUNTERSIGN_TOKEN=cs_token_"), "{told:?}");
    typed(&ground, &login, &[PASSWORD]).ended(1);
    let told = typed(&ground, &login, &[new]).done();
    assert!(!told.err.contains("must be changed"), "{told:?}");
    server.terminate();
    server.ended();
}
