//! Metrics in Prometheus' text format. Every label takes few values: a route is its
//! template, never a path; nothing that a caller chooses becomes a label.
//!
//! # Source
//! Names and units: prometheus.io, "Metric and label naming".

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use super::told::Told;
use crate::model::SetKind;

/// A metric that its library would not take; a defect here, found by any test.
#[derive(Debug, thiserror::Error)]
#[error("a metric is not well formed")]
pub struct NotMeasurable(#[from] prometheus::Error);

/// Whose queue it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// Proposals that wait for the writer.
    Sequencer,
    /// Passwords that wait to be hashed.
    Hasher,
}

impl Queue {
    const ALL: [Self; 2] = [Self::Sequencer, Self::Hasher];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Sequencer => "sequencer",
            Self::Hasher => "hasher",
        }
    }
}

/// What a policy does when it is satisfied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It permits; failing, it permits nothing.
    Permit,
    /// It forbids; failing, it is reason for an alarm.
    Forbid,
}

impl Effect {
    const ALL: [Self; 2] = [Self::Permit, Self::Forbid];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Forbid => "forbid",
        }
    }
}

/// The metrics of one node. Cheap to write from any thread: an atomic addition and,
/// where there is a label, a look-up.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    problems: IntCounterVec,
    decisions: IntCounterVec,
    retaken: IntCounter,
    policy_errors: IntCounterVec,
    cross_checks: IntCounterVec,
    shadows: IntCounterVec,
    commit_seconds: Histogram,
    seal_seconds: Histogram,
    fsync_seconds: Histogram,
    group_entries: Histogram,
    queue_length: IntGaugeVec,
    log_index: IntGauge,
    epoch: IntGauge,
    sessions: IntGauge,
    witness_asks: IntCounterVec,
    witness_contradictions: IntCounterVec,
    notices: IntCounterVec,
    notices_behind: IntGauge,
}

impl Metrics {
    /// Metrics at zero, of this node alone: two nodes in one process share nothing.
    ///
    /// # Errors
    /// [`NotMeasurable`] if one is not well formed; a test would have shown it.
    pub fn new() -> Result<Self, NotMeasurable> {
        let new = Shelf(Registry::new());
        let metrics = Self {
            requests: new.counters(
                "http_requests_total",
                "Requests answered, by route and status.",
                &["route", "status"],
            )?,
            request_seconds: new.histograms(
                "http_request_duration_seconds",
                "Time from a request's head to its answer, by route.",
                &["route"],
            )?,
            problems: new.counters(
                "problems_total",
                "Problems answered (RFC 9457), by code.",
                &["code"],
            )?,
            decisions: new.counters(
                "decisions_total",
                "Decisions recorded, by decision and policy set.",
                &["decision", "set"],
            )?,
            retaken: new.counter(
                "decisions_retaken_total",
                "Decisions taken again because the world had changed before their commit.",
            )?,
            policy_errors: new.counters(
                "policy_errors_total",
                "Policies that could not be evaluated, by effect; any forbid is an alarm.",
                &["effect"],
            )?,
            cross_checks: cross_checks(&new)?,
            shadows: shadows(&new)?,
            commit_seconds: new.histogram(
                "commit_duration_seconds",
                "Time from closing a group to its being durable and applied.",
                &SECONDS,
            )?,
            seal_seconds: new.histogram(
                "seal_duration_seconds",
                "Time to hash a group into the Merkle tree and sign its root; part of its commit.",
                &SECONDS,
            )?,
            fsync_seconds: new.histogram(
                "fsync_duration_seconds",
                "Time until the disk has a group; part of its commit.",
                &SECONDS,
            )?,
            group_entries: new.histogram(
                "commit_group_entries",
                "Entries in one commit.",
                &ENTRIES,
            )?,
            queue_length: new.gauges("queue_length", "What waits, by queue.", &["queue"])?,
            log_index: log_index(&new)?,
            epoch: new.gauge("epoch", "Entries so far that can alter a decision.")?,
            sessions: new.gauge("sessions_live", "Sessions in force.")?,
            witness_asks: witness_asks(&new)?,
            witness_contradictions: witness_contradictions(&new)?,
            notices: notices(&new)?,
            notices_behind: notices_behind(&new)?,
            registry: new.0,
        };
        metrics.begin()?;
        Ok(metrics)
    }

    /// Shows from the start what has not happened yet: an alarm cannot be set on a
    /// series that appears only with the first failure.
    fn begin(&self) -> Result<(), NotMeasurable> {
        self.log_index.set(-1);
        for set in [SetKind::Application, SetKind::System] {
            for decision in [ALLOW, DENY] {
                self.decisions.with_label_values(&[decision, set.as_str()]);
            }
        }
        for effect in Effect::ALL {
            self.policy_errors.with_label_values(&[effect.as_str()]);
        }
        for result in [SAME, DIFFERS] {
            self.cross_checks.with_label_values(&[result]);
        }
        for result in [SAME, WOULD_ALLOW, WOULD_DENY] {
            self.shadows.with_label_values(&[result]);
        }
        for queue in Queue::ALL {
            self.queue_length.with_label_values(&[queue.as_str()]);
        }
        for told in Told::ALL {
            self.notices.with_label_values(&[told.as_str()]);
        }
        let version = env!("CARGO_PKG_VERSION");
        let build = named("build_info", "The build that runs; always 1.");
        let build = IntGauge::with_opts(build.const_label("version", version))?;
        build.set(1);
        self.registry.register(Box::new(build))?;
        Ok(())
    }

    /// A request was answered. `route` is the template, such as
    /// `/audit/v1/decisions/{id}`.
    pub fn request(&self, route: &'static str, status: u16, took: Duration) {
        self.requests.with_label_values(&[route, &status.to_string()]).inc();
        self.request_seconds.with_label_values(&[route]).observe(took.as_secs_f64());
    }

    /// A problem was answered. `code` is its stable code.
    pub fn problem(&self, code: &'static str) {
        self.problems.with_label_values(&[code]).inc();
    }

    /// A decision was recorded.
    pub fn decision(&self, allowed: bool, set: SetKind) {
        let decision = if allowed { ALLOW } else { DENY };
        self.decisions.with_label_values(&[decision, set.as_str()]).inc();
    }

    /// So many decisions were taken again before their commit.
    pub fn retaken(&self, decisions: usize) {
        self.retaken.inc_by(decisions as u64);
    }

    /// A policy could not be evaluated.
    pub fn policy_error(&self, effect: Effect) {
        self.policy_errors.with_label_values(&[effect.as_str()]).inc();
    }

    /// A decision was taken by Cedar's own authorizer as well.
    pub fn cross_checked(&self, differs: bool) {
        let result = if differs { DIFFERS } else { SAME };
        self.cross_checks.with_label_values(&[result]).inc();
    }

    /// A decision was taken by the staged policies as well, with these two answers.
    pub fn shadow(&self, allowed: bool, would_allow: bool) {
        let result = match (allowed, would_allow) {
            (true, false) => WOULD_DENY,
            (false, true) => WOULD_ALLOW,
            (true, true) | (false, false) => SAME,
        };
        self.shadows.with_label_values(&[result]).inc();
    }

    /// A group of entries was committed.
    pub fn commit(&self, entries: usize, took: Duration) {
        self.commit_seconds.observe(took.as_secs_f64());
        let entries = u32::try_from(entries).unwrap_or(u32::MAX);
        self.group_entries.observe(f64::from(entries));
    }

    /// A group is in the Merkle tree, and its root signed.
    pub fn sealed(&self, took: Duration) {
        self.seal_seconds.observe(took.as_secs_f64());
    }

    /// The disk has a group.
    pub fn fsync(&self, took: Duration) {
        self.fsync_seconds.observe(took.as_secs_f64());
    }

    /// So many wait in a queue.
    pub fn queue_length(&self, queue: Queue, length: usize) {
        self.queue_length.with_label_values(&[queue.as_str()]).set(gauged(length as u64));
    }

    /// The newest entry's index, what can alter a decision, and the sessions in force.
    pub fn world(&self, log_index: u64, epoch: u64, sessions: usize) {
        self.log_index.set(gauged(log_index));
        self.epoch.set(gauged(epoch));
        self.sessions.set(gauged(sessions as u64));
    }

    /// A witness, by its key's name, will be asked: there are as many as settings name.
    pub fn witness_named(&self, name: &str) {
        for outcome in [COSIGNED, FAILED] {
            self.witness_asks.with_label_values(&[name, outcome]);
        }
        self.witness_contradictions.with_label_values(&[name]);
    }

    /// A witness was asked, and has cosigned or not.
    pub fn witness_asked(&self, name: &str, cosigned: bool) {
        let outcome = if cosigned { COSIGNED } else { FAILED };
        self.witness_asks.with_label_values(&[name, outcome]).inc();
    }

    /// A witness says that it has seen another past of the log.
    pub fn witness_contradicts(&self, name: &str) {
        self.witness_contradictions.with_label_values(&[name]).inc();
    }

    /// The webhook was told of something.
    pub fn notice_told(&self, told: Told) {
        let outcome = told.as_str();
        self.notices.with_label_values(&[outcome]).inc();
    }

    /// So many entries have not been looked at for what the webhook must hear.
    pub fn notices_behind(&self, entries: u64) {
        self.notices_behind.set(gauged(entries));
    }

    /// All of it in Prometheus' text format, version 0.0.4.
    ///
    /// # Errors
    /// [`NotMeasurable`] if a series cannot be written.
    pub fn render(&self) -> Result<String, NotMeasurable> {
        let mut text = String::new();
        TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text)?;
        Ok(text)
    }

    /// The `Content-Type` of [`Self::render`].
    #[must_use]
    pub fn content_type() -> &'static str {
        prometheus::TEXT_FORMAT
    }
}

fn witness_asks(new: &Shelf) -> Result<IntCounterVec, prometheus::Error> {
    let help = "Times that a witness was asked to cosign the log, by witness and outcome.";
    new.counters("witness_asks_total", help, &["witness", "outcome"])
}

fn witness_contradictions(new: &Shelf) -> Result<IntCounterVec, prometheus::Error> {
    let help = "Times that a witness knew another past of the log; any is an alarm, by witness.";
    new.counters("witness_contradictions_total", help, &["witness"])
}

fn cross_checks(new: &Shelf) -> Result<IntCounterVec, prometheus::Error> {
    let help = "Decisions taken by Cedar's authorizer too; any that differs is an alarm.";
    new.counters("cross_checks_total", help, &["result"])
}

fn shadows(new: &Shelf) -> Result<IntCounterVec, prometheus::Error> {
    let help = "Decisions taken by the staged policies too, by how they compare.";
    new.counters("shadow_decisions_total", help, &["result"])
}

fn log_index(new: &Shelf) -> Result<IntGauge, prometheus::Error> {
    new.gauge("log_index", "Index of the newest entry; -1 while the log is empty.")
}

fn notices(new: &Shelf) -> Result<IntCounterVec, prometheus::Error> {
    let help = "Times that the webhook was told what a person must hear of, by outcome.";
    new.counters("notices_total", help, &["outcome"])
}

fn notices_behind(new: &Shelf) -> Result<IntGauge, prometheus::Error> {
    new.gauge("notices_behind_entries", "Entries not looked at yet for what persons must hear of.")
}

const ALLOW: &str = "allow";
const DENY: &str = "deny";
const COSIGNED: &str = "cosigned";
const FAILED: &str = "failed";
const SAME: &str = "same";
const DIFFERS: &str = "differs";
const WOULD_ALLOW: &str = "would_allow";
const WOULD_DENY: &str = "would_deny";

/// From a decision in memory to a hash behind a long queue, in seconds.
const SECONDS: [f64; 14] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0,
    5.0,
];

/// From a lone entry to the largest group.
const ENTRIES: [f64; 8] = [1.0, 2.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0];

/// Makes metrics and keeps them where they are gathered from.
struct Shelf(Registry);

impl Shelf {
    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.keep(IntCounter::with_opts(named(name, help))?)
    }

    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, prometheus::Error> {
        self.keep(IntCounterVec::new(named(name, help), labels)?)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.keep(IntGauge::with_opts(named(name, help))?)
    }

    fn gauges(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntGaugeVec, prometheus::Error> {
        self.keep(IntGaugeVec::new(named(name, help), labels)?)
    }

    fn histogram(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> Result<Histogram, prometheus::Error> {
        let options = HistogramOpts::from(named(name, help)).buckets(buckets.to_vec());
        self.keep(Histogram::with_opts(options)?)
    }

    fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<HistogramVec, prometheus::Error> {
        let options = HistogramOpts::from(named(name, help)).buckets(SECONDS.to_vec());
        self.keep(HistogramVec::new(options, labels)?)
    }

    fn keep<C: Collector + Clone + 'static>(&self, metric: C) -> Result<C, prometheus::Error> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }
}

fn named(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("countersign")
}

/// Gauges are signed; no count here comes near the end of that.
fn gauged(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
