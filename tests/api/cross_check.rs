//! Evaluations decided by Cedar's own authorizer as well.

use serde_json::json;

use crate::office::{Office, ask, setup};

/// Goal: singles and items of a batch are checked, none differs, and nobody notices.
#[test]
fn an_evaluation_that_is_checked_is_answered_as_ever() {
    let office = Office::with(&setup().with_setting("cross_check.every=1"));
    let Office { app, pep, .. } = &office;
    for (action, expected) in [("read", true), ("fly", false), ("write", true)] {
        let answer = app.evaluate(pep.as_str(), &ask("alice", action, "plan"));
        assert_eq!(answer.json(), json!({"decision": expected}), "{action}");
    }
    let items = json!({
        "subject": {"type": "User", "id": "alice"},
        "resource": {"type": "Doc", "id": "plan"},
        "evaluations": [{"action": {"name": "read"}}, {"action": {"name": "fly"}}],
    });
    assert_eq!(app.evaluate_all(pep.as_str(), &items).status, 200);
    let metrics = app.node.metrics.render().unwrap();
    let checked = |result: &str| {
        let series = format!("countersign_cross_checks_total{{result=\"{result}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(series.as_str()));
        line.unwrap().parse::<u64>().unwrap()
    };
    // After each there is a rest: not all five need have had their turn.
    assert!((1..=5).contains(&checked("same")), "{metrics}");
    assert_eq!(checked("differs"), 0);
    app.assert_replays();
}
