//! `init` and `serve`: a log begins, and a node answers.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::binary::{Ground, Said, shipped, text};

fn init(ground: &Ground, more: &[&str]) -> Said {
    ground.run(&[&["init", "--data", "data"], more].concat())
}

#[test]
fn a_log_is_founded_and_its_key_lies_outside() {
    let ground = Ground::new();
    let founded = init(&ground, &["--administrator", "root", "--format", "json"]).done().json();
    assert_eq!(founded["administrator"], "root");
    assert!(text(&founded, "ticket").starts_with("cs_ticket_"));
    let key = fs::metadata(ground.at("data.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    let users = ground.run(&["user", "list", "--data", "data", "--format", "json"]).done().json();
    assert_eq!(users["users"][0]["roles"], serde_json::json!(["administrator"]));

    let again = init(&ground, &["--format", "json"]).ended(1);
    assert!(again.err.contains("\"code\":\"exists\""), "{again:?}");
}

#[test]
fn the_founder_is_told_what_to_do_next() {
    let ground = Ground::new();
    let told = init(&ground, &["--key-file", "key"]).done().out;
    for part in ["cs_ticket_", "countersign serve --data", "countersign enrol --server", "key"] {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
    assert!(ground.at("key").exists() && !ground.at("data.key").exists());
}

/// Goal: who has made a mistake begins again with nothing in the way.
#[test]
fn a_founding_that_is_refused_leaves_nothing_behind() {
    let ground = Ground::new();
    fs::write(ground.at("bad.cedar"), "@id(\"a\")\npermit (principal, action, resoure);\n")
        .unwrap();
    let schema = shipped("schemas/cloud.cedarschema");
    let refused = init(&ground, &["--policies", "bad.cedar", "--schema", &schema]).ended(1);
    assert!(refused.err.contains("bad.cedar:2:"), "{refused:?}");
    assert!(!ground.at("data").join("log").exists() && !ground.at("data.key").exists());
    init(&ground, &["--policies", "bad.cedar"]).ended(2);
    init(&ground, &["--key-file", "data/key"]).ended(2);
    init(&ground, &["--policies", "none.cedar", "--schema", &schema]).ended(3);
    ground.found();
}

#[test]
fn every_setting_can_be_looked_up() {
    let ground = Ground::new();
    let listed = ground.run(&["serve", "--settings"]).done().out;
    let names: Vec<_> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    for name in ["listen", "limits.body_bytes", "argon2.m_kib", "decisions.session.aal2_idle_s"] {
        assert!(names.contains(&name), "no `{name}` in {listed}");
    }
}

#[test]
fn flags_come_before_the_environment_before_the_file() {
    let ground = Ground::new();
    ground.found();
    let file = "[limits]\npage_items = 1\n[decisions]\nuser_type = \"Person\"\n";
    fs::write(ground.at("data").join("countersign.toml"), file).unwrap();
    let data = ground.data();
    let serve = |set: &str| {
        let mut command = ground.program(&["serve", "--data", &data, "--set", set]);
        command.env("COUNTERSIGN_LIMITS_PAGE_ITEMS", "none");
        Said::of(command.output().unwrap())
    };
    // The file's value would do, the environment's will not, the flag's neither.
    let by_flag = serve("limits.page_items=0").ended(2);
    assert!(by_flag.err.contains("--set") && by_flag.err.contains("page_items"), "{by_flag:?}");
    let by_variable = serve("limits.queue=1").ended(2);
    assert!(by_variable.err.contains("COUNTERSIGN_LIMITS_PAGE_ITEMS"), "{by_variable:?}");
    let unknown = serve("limits.page_item=1").ended(2);
    assert!(unknown.err.contains("`limits.page_items`"), "{unknown:?}");

    let server = ground.serve(&["--set", "decisions.user_type=Employee"]);
    server.terminate();
    assert_eq!(server.ended(), Some(0));
    let adopted = ["log", "--type", "settings.adopted", "--format", "json", "--data", &data];
    let adopted = ground.run(&adopted).done().out;
    assert!(adopted.contains("Employee") && !adopted.contains("Person"), "{adopted}");
}

#[test]
fn a_node_that_cannot_serve_says_why() {
    let ground = Ground::new();
    let data = ground.data();
    let serve = |more: &[&str]| ground.run(&[&["serve", "--data", &data], more].concat());
    let unfounded = serve(&[]).ended(3);
    assert!(unfounded.err.contains("countersign init"), "{unfounded:?}");
    ground.found();
    let open = serve(&["--listen", "0.0.0.0:0"]).ended(2);
    assert!(open.err.contains("loopback"), "{open:?}");
    let half = serve(&["--tls-cert", "chain.pem"]).ended(2);
    assert!(half.err.contains("tls_key"), "{half:?}");
    fs::rename(ground.at("data.key"), ground.at("lost.key")).unwrap();
    serve(&["--listen", "127.0.0.1:0"]).ended(3);
    fs::rename(ground.at("lost.key"), ground.at("data.key")).unwrap();

    let server = ground.serve(&[]);
    let second = serve(&["--listen", "127.0.0.1:0"]).ended(3);
    assert!(second.err.contains("open in another process"), "{second:?}");
    let taken = server.url.strip_prefix("http://").unwrap();
    let other = Ground::new();
    other.found();
    let busy = other.run(&["serve", "--data", &other.data(), "--listen", taken]).ended(3);
    assert!(busy.err.contains(taken), "{busy:?}");
}
