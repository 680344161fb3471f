//! The figures, as Markdown tables for benches/README.md.

use std::time::Duration;

use crate::samples::Samples;

/// One comparison of two kinds of rounds, taken in turns.
pub struct Row {
    pub connections: usize,
    pub base: Samples,
    pub other: Samples,
    /// The ratio of each pair of rounds: how noisy the machine was.
    pub ratios: Vec<f64>,
}

/// What the ratios of pairs of rounds are of.
pub const OF_RATES: &str = "ratio (each pair of rounds)";
pub const OF_P99: &str = "ratio (p99 of each pair of rounds)";

/// Prints the rates of two kinds of requests and what one is of the other.
pub fn rates(title: &str, [base, other]: [&str; 2], unit: &str, pairs: &str, rows: &[Row]) {
    println!("\n{title}\n");
    println!("| connections | {base} {unit} | {other} {unit} | {pairs} |");
    println!("|---:|---:|---:|---|");
    for Row { connections, base, other, ratios } in rows {
        let [base, other] = [base, other]
            .map(|it| if unit == "requests/s" { it.rate() } else { it.decision_rate() });
        let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let high = ratios.iter().copied().fold(0.0, f64::max);
        println!(
            "| {connections} | {base:.0} | {other:.0} | {:.2} ({low:.2} to {high:.2}) |",
            other / base,
        );
    }
}

/// Prints the latencies of both kinds.
pub fn latencies([base, other]: [&str; 2], rows: &[Row]) {
    println!("\n| connections | requests | p50 | p90 | p99 | max | CPU | n |");
    println!("|---:|---|---:|---:|---:|---:|---:|---:|");
    for row in rows {
        for (name, samples) in [(base, &row.base), (other, &row.other)] {
            let [p50, p90, p99, max] = samples.percentiles([50.0, 90.0, 99.0, 100.0]).map(shown);
            let (connections, n, cpu) = (row.connections, samples.requests(), shown(samples.cpu()));
            println!("| {connections} | {name} | {p50} | {p90} | {p99} | {max} | {cpu} | {n} |");
        }
    }
}

/// A time in a unit that suits it.
pub fn shown(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        ..100.0 => format!("{micros:.1} µs"),
        ..1_000.0 => format!("{micros:.0} µs"),
        ..1_000_000.0 => format!("{:.2} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}
