//! What is shown of what has happened.

use super::*;

fn rendered(happens: impl FnOnce(&Metrics)) -> String {
    let metrics = Metrics::new().unwrap();
    happens(&metrics);
    metrics.render().unwrap()
}

#[track_caller]
fn assert_shows(text: &str, line: &str) {
    assert!(text.lines().any(|shown| shown == line), "no line `{line}` in:\n{text}");
}

#[test]
fn alarms_can_be_set_before_anything_happens() {
    let text = rendered(|_| ());
    assert_shows(&text, r#"countersign_policy_errors_total{effect="forbid"} 0"#);
    assert_shows(&text, r#"countersign_decisions_total{decision="deny",set="system"} 0"#);
    assert_shows(&text, r#"countersign_queue_length{queue="hasher"} 0"#);
    assert_shows(&text, "countersign_log_index -1");
    assert_shows(&text, "countersign_decisions_retaken_total 0");
}

#[test]
fn what_happens_is_counted() {
    let text = rendered(|metrics| {
        metrics.request("/access/v1/evaluation", 200, Duration::from_micros(300));
        metrics.request("/access/v1/evaluation", 200, Duration::from_micros(300));
        metrics.problem("queue_full");
        metrics.decision(true, SetKind::Application);
        metrics.policy_error(Effect::Forbid);
        metrics.retaken(3);
        metrics.commit(17, Duration::from_millis(2));
        metrics.fsync(Duration::from_millis(1));
        metrics.queue_length(Queue::Sequencer, 5);
        metrics.world(41, 9, 2);
        metrics.witness_named("one");
        metrics.witness_asked("two", true);
        metrics.witness_contradicts("two");
    });
    for line in [
        r#"countersign_http_requests_total{route="/access/v1/evaluation",status="200"} 2"#,
        r#"countersign_http_request_duration_seconds_count{route="/access/v1/evaluation"} 2"#,
        r#"countersign_problems_total{code="queue_full"} 1"#,
        r#"countersign_decisions_total{decision="allow",set="application"} 1"#,
        r#"countersign_policy_errors_total{effect="forbid"} 1"#,
        "countersign_decisions_retaken_total 3",
        "countersign_commit_duration_seconds_sum 0.002",
        r#"countersign_commit_group_entries_bucket{le="64"} 1"#,
        r#"countersign_commit_group_entries_bucket{le="16"} 0"#,
        "countersign_fsync_duration_seconds_count 1",
        r#"countersign_queue_length{queue="sequencer"} 5"#,
        "countersign_log_index 41",
        "countersign_epoch 9",
        "countersign_sessions_live 2",
        r#"countersign_witness_asks_total{outcome="failed",witness="one"} 0"#,
        r#"countersign_witness_asks_total{outcome="cosigned",witness="two"} 1"#,
        r#"countersign_witness_contradictions_total{witness="one"} 0"#,
        r#"countersign_witness_contradictions_total{witness="two"} 1"#,
    ] {
        assert_shows(&text, line);
    }
}

#[test]
fn every_series_is_ours_and_explained() {
    let text = rendered(|metrics| {
        metrics.request("/healthz", 200, Duration::ZERO);
        metrics.problem("not_found");
    });
    for line in text.lines() {
        let name = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE "));
        assert!(name.unwrap_or(line).starts_with("countersign_"), "{line}");
    }
    let count = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(count("# HELP "), count("# TYPE "));
    assert!(count("# HELP ") >= 14, "{text}");
}

#[test]
fn two_nodes_in_one_process_share_nothing() {
    let busy = Metrics::new().unwrap();
    busy.retaken(1);
    assert_shows(&rendered(|_| ()), "countersign_decisions_retaken_total 0");
}
