//! Durable evaluations over HTTP beside an echo of the same body in the same run.
//! `cargo bench --bench http`; what it printed on which machine, and the budgets (evaluation
//! against echo, batch against singles, decisions under a flood of logins), are in
//! benches/README.md.
//!
//! Everything is real: a server on a loopback port, sled on the disk, the system's
//! clock, a person with two factors, a service token. Every answer is checked before it
//! counts, and at the end the log must hold exactly what was answered.

#![cfg(test)] // so that the lints take all of this for a test
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]

mod arguments;
mod client;
mod load;
mod log;
mod node;
mod others;
mod overload;
mod passkey;
mod samples;
mod scale;
mod soak;
mod table;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::rt::System;
use countersign::hasher::Whose;
use countersign::http::App;
use countersign::model::Password;
use serde_json::{Value, json};

use arguments::Arguments;
use client::{call, post};
use load::{Flood, Question, round};
use node::{Served, Tokens, echo, two_factors};
use overload::overload;
use passkey::{Holder, SignIns};
use samples::Samples;
use scale::Changing;
use soak::Held;
use table::{OF_P99, OF_RATES, Row};

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many times as many logins as the node can hash are offered in a flood.
const FLOOD: f64 = 20.0;
/// Connections of the flood that are turned away while the others fill the hasher's queue.
const TURNED_AWAY: usize = 64;

/// Who signs in with a passkey meanwhile.
const HONEST: &str = "honest";

/// Items of a batch, as the budget says.
const BATCH: u64 = 100;

fn main() {
    let Some(arguments) = Arguments::read() else { return };
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (served, ticket) = Served::start(directory.path(), &arguments.set, 0);
    let (echo_address, echo_server) = echo(served.app.settings.limits.workers);
    let tokens = System::new().block_on(Tokens::obtain(served.address, &ticket));
    let single = evaluation(&served, &tokens);
    let echoed = Question {
        address: echo_address,
        request: Arc::new(post("/echo", &[], &asked().to_string())),
        body: Arc::new(asked().to_string()),
        entries: 0,
    };
    let batch = batch(&served, &tokens);
    let mut bench = Bench { arguments, answered: Vec::new() };
    if bench.arguments.soaks() {
        let minutes = bench.arguments.minutes;
        let decisions = soak::soak(&single, &batch, &served, &tokens, minutes);
        echo_server.stop();
        return accounted(&log::counted(&served.stop(), decisions));
    }

    bench.warm_up([&echoed, &single, &batch]);
    if bench.arguments.includes("echo") {
        bench.against_echo(&echoed, &single, &served.app);
    }
    if bench.arguments.includes("batch") {
        bench.batches(&single, &batch);
    }
    if bench.arguments.includes("flood") {
        bench.under_flood(&single, &served, &tokens);
    }

    if bench.arguments.includes("overload") {
        bench.overload(&single);
    }
    if bench.arguments.includes("policies") {
        bench.many_policies(&single);
    }
    if bench.arguments.includes("changes") {
        bench.while_it_changes(&single, &served, &tokens);
    }

    echo_server.stop();
    let app = served.stop();
    accounted(&log::account(&app, bench.answered));
}

fn asked() -> Value {
    json!({
        "subject": {"type": "User", "id": "alice"},
        "action": {"name": "open"},
        "resource": {"type": "ProtectedResource", "id": "protected-resource"},
    })
}

/// Alice, with two factors, opens the protected resource: allowed.
fn evaluation(served: &Served, tokens: &Tokens) -> Question {
    question(served, tokens, "/access/v1/evaluation", &asked(), &json!({"decision": true}), 1)
}

/// The same question a hundred times in one request.
fn batch(served: &Served, tokens: &Tokens) -> Question {
    let mut body = asked();
    let resource = body["resource"].take();
    body["evaluations"] = (0..BATCH).map(|_| json!({"resource": resource})).collect();
    let answers: Vec<_> = (0..BATCH).map(|_| json!({"decision": true})).collect();
    let answer = json!({"evaluations": answers});
    question(served, tokens, "/access/v1/evaluations", &body, &answer, BATCH)
}

fn question(
    served: &Served,
    tokens: &Tokens,
    path: &str,
    body: &Value,
    answer: &Value,
    entries: u64,
) -> Question {
    let bearer = format!("Bearer {}", tokens.pep);
    let headers = [("authorization", &*bearer), ("countersign-session", &*tokens.session)];
    Question {
        address: served.address,
        request: Arc::new(post(path, &headers, &body.to_string())),
        body: Arc::new(answer.to_string()),
        entries,
    }
}

/// Somebody with two factors and a passkey.
fn holder(address: SocketAddr, admin: &str) -> Holder {
    System::new().block_on(async {
        let asked = json!({"name": HONEST});
        let person = call(address, "/users/v1", admin, &asked, 201).await;
        let person = two_factors(address, HONEST, person["ticket"].as_str().unwrap()).await;
        Holder::register(address, person["token"].as_str().unwrap()).await
    })
}

/// Does something while somebody keeps signing in.
fn signing_in<R>(
    holder: &RefCell<Option<Holder>>,
    sign_ins: &mut SignIns,
    act: impl FnOnce() -> R,
) -> R {
    let signing_in = holder.take().unwrap().keep_signing_in(HONEST);
    let done = act();
    let (back, more) = signing_in.stop();
    holder.replace(Some(back));
    sign_ins.add(more);
    done
}

/// What is asked of the bench, and where in the log every answer so far is.
struct Bench {
    arguments: Arguments,
    answered: Vec<RangeInclusive<u64>>,
}

impl Bench {
    fn round(&mut self, question: &Question, connections: usize) -> Samples {
        let length = self.arguments.length(connections);
        let (samples, indices) = round(question, connections, length);
        self.answered.extend(indices);
        samples
    }

    fn warm_up<const N: usize>(&mut self, questions: [&Question; N]) {
        for question in questions {
            self.answered.extend(round(question, 8, self.arguments.warm_up()).1);
        }
    }

    /// Rounds of two kinds in turns.
    fn compare(
        &mut self,
        connections: usize,
        ratio: impl Fn(&Samples, &Samples) -> f64,
        mut base: impl FnMut(&mut Self, usize) -> Samples,
        mut other: impl FnMut(&mut Self, usize) -> Samples,
    ) -> Row {
        let mut row = Row {
            connections,
            base: Samples::default(),
            other: Samples::default(),
            ratios: Vec::new(),
        };
        for _ in 0..self.arguments.rounds() {
            let pair = (base(self, connections), other(self, connections));
            row.ratios.push(ratio(&pair.0, &pair.1));
            row.base.add(pair.0);
            row.other.add(pair.1);
        }
        row
    }

    fn against_echo(&mut self, echoed: &Question, single: &Question, app: &App) {
        let (mut rows, mut commits) = (Vec::new(), Vec::new());
        for connections in self.arguments.connections.clone() {
            let before = Commits::of(app);
            rows.push(self.compare(
                connections,
                |echo, durable| durable.rate() / echo.rate(),
                |bench, connections| bench.round(echoed, connections),
                |bench, connections| bench.round(single, connections),
            ));
            commits.push((connections, Commits::of(app).since(&before)));
        }
        let names = ["echo", "durable evaluation"];
        table::rates("## Durable evaluation beside an echo", names, "requests/s", OF_RATES, &rows);
        table::latencies(names, &rows);
        println!(
            "\n| connections | commits/s while evaluating | entries a commit | write + fsync |"
        );
        println!("|---:|---:|---:|---:|");
        for ((connections, commits), row) in commits.iter().zip(&rows) {
            println!("| {connections} | {}", commits.shown(&row.other));
        }
    }

    fn batches(&mut self, single: &Question, batch: &Question) {
        let mut rows = Vec::new();
        for connections in self.arguments.connections.clone() {
            rows.push(self.compare(
                connections,
                |single, batch| batch.decision_rate() / single.decision_rate(),
                |bench, connections| bench.round(single, connections),
                |bench, connections| bench.round(batch, connections),
            ));
        }
        let names = ["single", "batch of 100"];
        table::rates("## Batches beside single evaluations", names, "decisions/s", OF_RATES, &rows);
        table::latencies(names, &rows);
    }

    fn under_flood(&mut self, single: &Question, served: &Served, tokens: &Tokens) {
        let holder = RefCell::new(Some(holder(served.address, &tokens.admin)));
        let (mut undisturbed, mut disturbed) = (SignIns::default(), SignIns::default());
        let limits = &served.app.settings.limits;
        let capacity = capacity(&served.app);
        let flooding = limits.hash_queue + limits.hash_threads + TURNED_AWAY;
        let pause = Duration::from_secs_f64(TURNED_AWAY as f64 / (FLOOD * capacity));
        let (mut rows, mut turned, mut flooded_s) = (Vec::new(), (0, 0), 0.0);
        let (before, mut most) = (Held::now().resident_mib, 0);
        for connections in self.arguments.connections.clone() {
            let row = self.compare(
                connections,
                |calm, flooded| p99(flooded) / p99(calm),
                |bench, connections| {
                    signing_in(&holder, &mut undisturbed, || bench.round(single, connections))
                },
                |bench, connections| {
                    let (flood, begun) =
                        (Flood::start(served.address, flooding, pause), Instant::now());
                    let samples =
                        signing_in(&holder, &mut disturbed, || bench.round(single, connections));
                    most = most.max(Held::now().resident_mib);
                    flooded_s += begun.elapsed().as_secs_f64();
                    let (hashed, refused) = flood.stop();
                    turned = (turned.0 + hashed, turned.1 + refused);
                    samples
                },
            );
            rows.push(row);
        }
        let (names, (hashed, refused)) = (["calm", "flooded"], turned);
        table::rates("## Evaluations while logins flood", names, "requests/s", OF_P99, &rows);
        table::latencies(names, &rows);
        println!();
        for row in &rows {
            let ratio = p99(&row.other) / p99(&row.base);
            println!("p99 at {} connections: {ratio:.2}× the calm one", row.connections);
        }
        let offered = (hashed + refused) as f64;
        let as_many = offered / flooded_s >= FLOOD * capacity;
        assert!(as_many || !self.arguments.measure, "the flood was too small to say anything");
        println!(
            "The node hashes {capacity:.0} passwords a second. The flood, {flooding} at a time: \
             {hashed} hashed, {refused} refused (503 or 429) in {flooded_s:.1} s: {:.0} a second, \
             {:.1} times that.",
            offered / flooded_s,
            offered / flooded_s / capacity,
        );
        println!("Resident memory: {before} MiB before, at most {most} MiB during the floods.");
        println!(
            "Somebody honest with a passkey meanwhile. Calm: {}. Flooded: {}.",
            undisturbed.told(),
            disturbed.told(),
        );
    }

    fn overload(&mut self, single: &Question) {
        let capacity = self.round(single, 64).rate();
        let indices = overload(single, capacity, self.arguments.offered());
        self.answered.extend(indices.into_iter().map(|index| index..=index));
    }

    /// Ten policies and ten thousand, each on a node of its own.
    fn many_policies(&mut self, single: &Question) {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let others = if self.arguments.measure { 10_000 } else { 100 };
        let (served, ticket) = Served::start(directory.path(), &self.arguments.set, others);
        let tokens = System::new().block_on(Tokens::obtain(served.address, &ticket));
        let many = evaluation(&served, &tokens);
        let mut there = Bench { arguments: self.arguments.clone(), answered: Vec::new() };
        there.warm_up([&many]);
        let mut rows = Vec::new();
        for connections in self.arguments.connections.clone() {
            rows.push(self.compare(
                connections,
                |few, many| many.rate() / few.rate(),
                |bench, connections| bench.round(single, connections),
                |_, connections| there.round(&many, connections),
            ));
        }
        let names = ["few policies", "10,000 more"];
        table::rates(
            "## Evaluations with 10,000 policies more",
            names,
            "requests/s",
            OF_RATES,
            &rows,
        );
        table::latencies(names, &rows);
        log::account(&served.stop(), there.answered);
    }

    fn while_it_changes(&mut self, single: &Question, served: &Served, tokens: &Tokens) {
        let (mut rows, mut rates) = (Vec::new(), Vec::new());
        for connections in self.arguments.connections.clone() {
            rows.push(self.compare(
                connections,
                |calm, changing| p99(changing) / p99(calm),
                |bench, connections| bench.round(single, connections),
                |bench, connections| {
                    let changing = Changing::start(served.address, &tokens.author, 1_000);
                    let samples = bench.round(single, connections);
                    rates.push(changing.stop());
                    samples
                },
            ));
        }
        let names = ["calm", "directory changing"];
        table::rates(
            "## Evaluations while the directory changes",
            names,
            "requests/s",
            OF_P99,
            &rows,
        );
        table::latencies(names, &rows);
        println!();
        for row in &rows {
            let ratio = p99(&row.other) / p99(&row.base);
            println!("p99 at {} connections: {ratio:.2}× the calm one", row.connections);
        }
        let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
        println!("At least {least:.0} changes a second.");
    }
}

/// How many passwords a second the node hashes while it does nothing else.
fn capacity(app: &App) -> f64 {
    let (password, hashes) = ("seven quiet harbours at dusk".parse::<Password>(), 8);
    let password = password.ok().unwrap();
    let begun = Instant::now();
    System::new().block_on(async {
        for _ in 0..hashes {
            app.hasher.hash(Whose::Anybodys, password.clone()).await.unwrap();
        }
    });
    let threads = app.settings.limits.hash_threads as f64;
    threads * f64::from(hashes) / begun.elapsed().as_secs_f64()
}

fn accounted(account: &log::Account) {
    println!("\n## The log afterwards\n");
    println!("Every answer is in it and nothing else: {} decisions.", account.decisions);
    let rate = account.entries as f64 / account.replayed.as_secs_f64();
    println!("Replay (read, decode, fold, decide again; clean): {rate:.0} entries/s a core.");
    let (entry, disk) = (account.decision_bytes, account.disk_bytes);
    println!("A decision is {entry:.0} bytes; on disk an entry takes {disk:.0}.");
}

fn p99(samples: &Samples) -> f64 {
    let [p99] = samples.percentiles([99.0]);
    p99.as_secs_f64()
}

/// The node's own count of its commits.
struct Commits {
    count: f64,
    entries: f64,
    synced_s: f64,
}

impl Commits {
    fn of(app: &App) -> Self {
        let text = app.metrics.render().unwrap();
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().trim().parse().unwrap()
        };
        Self {
            count: value("countersign_commit_group_entries_count "),
            entries: value("countersign_commit_group_entries_sum "),
            synced_s: value("countersign_fsync_duration_seconds_sum "),
        }
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            count: self.count - before.count,
            entries: self.entries - before.entries,
            synced_s: self.synced_s - before.synced_s,
        }
    }

    /// The rest of a row, given the rounds in which they were made.
    fn shown(&self, rounds: &Samples) -> String {
        let rate = self.count / self.entries * rounds.rate();
        let (group, sync_us) = (self.entries / self.count, self.synced_s / self.count * 1e6);
        format!("{rate:.0} | {group:.1} | {sync_us:.0} µs |")
    }
}
