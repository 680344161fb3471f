//! Authors change the directory; the next decision is the new one's.

use serde_json::{Value, json};

use crate::app::Answer;
use crate::office::Office;

impl Office {
    /// Puts and deletes entities as the administrator.
    pub fn alter(&self, changes: &Value) -> Answer {
        self.app.post("/entities/v1", &self.admin.token, changes)
    }
}

/// Goal: putting and deleting an entity counts from the very next decision on; the
/// directory has a version that no two authors change at once unseen.
#[test]
fn a_change_of_the_directory_decides_the_next_question() {
    let office = Office::open();
    let staff = json!([{"type": "Group", "id": "staff"}]);
    let name = json!({"type": "User", "id": "bob"});
    let bob = |parents: &Value| json!({"uid": name, "attrs": {}, "parents": parents});
    assert!(!office.bob_reads().0);
    let put = office.alter(&json!({"put": [bob(&staff)], "message": "hired"})).expect(200);
    assert_eq!(put, json!({"version": 2, "changed": 1}));
    assert!(office.bob_reads().0);
    let shown = office.shown("/entities/v1/User/bob");
    assert_eq!(shown["parents"], staff);

    // Group by group: what is above counts, too.
    let interns = json!({"uid": {"type": "Group", "id": "interns"}, "parents": staff});
    let in_interns = bob(&json!([{"type": "Group", "id": "interns"}]));
    office.alter(&json!({"put": [in_interns, interns]})).expect(200);
    assert!(office.bob_reads().0);
    office.alter(&json!({"delete": [{"type": "Group", "id": "interns"}]})).expect(200);
    assert!(!office.bob_reads().0);

    let late = json!({"put": [bob(&staff)], "expected_version": 3});
    let answer = office.alter(&late);
    assert_eq!((answer.status, answer.code().as_str()), (409, "version_conflict"));
    let again = office.alter(&json!({"put": [bob(&staff)], "expected_version": 4})).expect(200);
    assert_eq!(again["version"], 5);
    let answer = office.alter(&json!({"put": [bob(&staff)]}));
    assert_eq!((answer.status, answer.code().as_str()), (409, "unchanged"));

    office.alter(&json!({"delete": [{"type": "User", "id": "bob"}]})).expect(200);
    assert!(!office.bob_reads().0);
    assert_eq!(office.app.get("/entities/v1/User/bob", &office.admin.token).status, 404);
    office.app.assert_replays();
}

/// Goal: an entity that does not fit is refused with its name and place, a cycle with
/// the way round it; and of several changes either all are made or none.
#[test]
fn a_change_of_the_directory_that_does_not_fit_is_refused() {
    let office = Office::open();
    let in_itself = json!({"put": [
        {"uid": {"type": "Group", "id": "a"}, "parents": [{"type": "Group", "id": "b"}]},
        {"uid": {"type": "Group", "id": "b"}, "parents": [{"type": "Group", "id": "staff"}]},
        {"uid": {"type": "Group", "id": "staff"}, "parents": [{"type": "Group", "id": "a"}]},
    ]});
    let answer = office.alter(&in_itself);
    assert_eq!((answer.status, answer.code().as_str()), (422, "hierarchy_invalid"));
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    let way = detail.strip_prefix("an entity would be in itself: ").unwrap();
    let way: Vec<_> = way.split(" is in ").collect();
    assert_eq!((way.len(), way.first()), (4, way.last()), "{detail}");

    let fine = json!({"uid": {"type": "User", "id": "carol"}});
    let user = |attrs: Value| json!({"uid": {"type": "User", "id": "x"}, "attrs": attrs});
    let grouped = |parent: Value| json!({"uid": {"type": "User", "id": "x"}, "parents": [parent]});
    for (change, status, code, says) in [
        (
            json!({"put": [fine, user(json!({"department": 3}))]}),
            422,
            "entity_invalid",
            "department",
        ),
        (json!({"put": [fine, user(json!({"wings": 2}))]}), 422, "entity_invalid", "wings"),
        (
            json!({"put": [fine, {"uid": {"type": "Robot", "id": "x"}}]}),
            422,
            "entity_invalid",
            "Robot",
        ),
        (
            json!({"put": [fine, grouped(json!({"type": "Doc", "id": "plan"}))]}),
            422,
            "entity_invalid",
            "Doc",
        ),
        (
            json!({"put": [{"uid": {"type": "Countersign::Role", "id": "administrator"}}]}),
            422,
            "entity_invalid",
            "Countersign",
        ),
        (json!({"put": [fine, fine]}), 422, "entity_invalid", "twice"),
        (json!({"put": [fine], "delete": [fine["uid"]]}), 422, "entity_invalid", "twice"),
        (
            json!({"put": [fine], "delete": [{"type": "User", "id": "nobody"}]}),
            422,
            "entity_invalid",
            "nobody",
        ),
        (json!({}), 422, "no_changes", "no change"),
        (json!({"put": [{"uid": {"type": "User"}}]}), 400, "bad_entities", "entities[0]: uid.id"),
        (json!({"put": fine}), 400, "bad_request", "wrong type"),
    ] {
        let answer = office.alter(&change);
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{change}");
        assert!(answer.text.contains(says), "{}", answer.text);
    }
    assert_eq!(office.app.get("/entities/v1/User/carol", &office.admin.token).status, 404);
    assert_eq!(office.shown("/entities/v1")["version"], 1);
    office.app.assert_replays();
}

/// Goal: the directory can be read page by page, by type, and each entity by its name,
/// whatever characters that has.
#[test]
fn the_directory_can_be_read() {
    let office = Office::open();
    let odd = "a/b?c=d&e#f %2f\u{e9}\"\u{1}";
    let ids: Vec<String> = (0..7).map(|n| format!("d{n}")).chain([odd.to_owned()]).collect();
    let put: Vec<_> = ids.iter().map(|id| json!({"uid": {"type": "Doc", "id": id}})).collect();
    office.alter(&json!({"put": put})).expect(200);

    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = office.shown(&format!("/entities/v1?type=Doc&limit=3{cursor}"));
        let entities = page["entities"].as_array().unwrap();
        assert!(!entities.is_empty() && entities.len() <= 3);
        found.extend(entities.iter().map(|it| it["uid"]["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={}", percent(next)),
            None => break,
        }
    }
    let mut expected = ids.clone();
    expected.push("plan".to_owned());
    expected.sort();
    assert_eq!(found, expected);
    let all = office.shown("/entities/v1");
    assert_eq!(all["entities"].as_array().unwrap().len(), 4 + 8);
    assert_eq!(all["next"], Value::Null);
    let one = office.shown(&format!("/entities/v1/Doc/{}", percent(odd)));
    assert_eq!(one["uid"]["id"], odd);
}

/// Every byte but letters and digits as `%xx` (RFC 3986 §2.1).
fn percent(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02x}"),
    };
    text.bytes().map(encode).collect()
}
