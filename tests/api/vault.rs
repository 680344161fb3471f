//! What lies sealed in the vault: what the log names, and nothing else.

use std::fs;

use countersign::model::Digest;
use serde_json::json;

use crate::app::{PASSWORD, Setup, TestApp};

/// How many secrets of persons lie sealed; the log's own, that it signs with, aside.
fn sealed(app: &TestApp) -> usize {
    let folders = fs::read_dir(app.node.settings.data.join("vault")).unwrap();
    let logs = Digest::of("the log").to_string();
    let folders = folders.filter(|it| it.as_ref().unwrap().file_name() != *logs);
    let files = |folder: fs::DirEntry| fs::read_dir(folder.path()).into_iter().flatten();
    let names = folders.flat_map(|folder| files(folder.unwrap()));
    let is_uuid = |name: &str| name.parse::<uuid::Uuid>().is_ok();
    names.filter(|file| is_uuid(file.as_ref().unwrap().file_name().to_str().unwrap())).count()
}

/// Goal: nobody fills the disk by asking again, and a replaced secret is not left for
/// whoever takes the disk.
#[test]
fn a_superseded_secret_leaves_the_vault() {
    let mut app = TestApp::spawn(&Setup::default());
    app.enrol(app.ticket.expose(), PASSWORD).expect(201);
    let weak = app.one_factor("admin");
    assert_eq!(sealed(&app), 1, "the password");
    for _ in 0..5 {
        app.post("/auth/v1/setup-mfa", &weak.token, &json!({})).expect(200);
        assert_eq!(sealed(&app), 2, "and one offer");
    }
    let admin = app.two_factors(&weak);
    assert_eq!(sealed(&app), 2, "the password and the second factor");
    let offered = app.post("/auth/v1/setup-mfa", &admin.token, &json!({})).expect(200);
    assert_eq!(sealed(&app), 3, "and an offer beside it");
    let next = crate::app::seed(offered["secret"].as_str().unwrap());
    app.clock.advance(30);
    app.verify(&admin.token, &app.code(&next)).expect(200);
    assert_eq!(sealed(&app), 3, "two second factors");

    let ticket = app.post("/users/v1/admin/ticket", &admin.token, &json!({})).expect(201);
    let fresh = "eight loud harbours at dawn";
    app.enrol(ticket["ticket"].as_str().unwrap(), fresh).expect(201);
    assert_eq!(sealed(&app), 3, "the password was replaced");
    app.restart();
    app.login("admin", fresh).expect(200);
    assert_eq!(sealed(&app), 3, "nothing is left for the sweep at start");
}

/// Goal: of many who use one ticket at once, the others leave nothing behind.
#[test]
fn what_was_sealed_for_a_refusal_leaves_the_vault() {
    let app = TestApp::spawn(&Setup::default());
    let all = std::thread::scope(|scope| {
        let enrol = || app.enrol(app.ticket.expose(), PASSWORD).status;
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(enrol)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(all.iter().filter(|status| **status == 201).count(), 1, "{all:?}");
    // The rest come while it is in use, or find it used.
    assert!(all.iter().all(|status| [201, 401, 429].contains(status)), "{all:?}");
    assert_eq!(sealed(&app), 1);
}
