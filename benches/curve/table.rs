//! The figures, as Markdown tables for benches/README.md.

use std::time::Duration;

use crate::cell::Cell;
use crate::changes::Changed;
use crate::memory::Taken;
use crate::samples::{grouped, shown};

/// Prints the cells of one workload in one form, row by row.
pub fn cells(title: &str, cells: &[Cell]) {
    println!("\n### {title}\n");
    let least = cells.iter().map(|cell| cell.policies).min().unwrap_or_default();
    println!(
        "| policies | entities | admission | in scope | allowed | `decide` | p99 | asked the same \
         under {} | quotient | `evaluate` | `is_authorized` | beside ours | compared, equal |",
        grouped(least)
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for cell in cells {
        let Cell { decide, beside, evaluate, each, .. } = cell;
        println!(
            "| {} | {} | {} | {:.1} | {} % | {} | {} | {} | {:.2} | {} | {} | {} | {} |",
            grouped(cell.policies),
            grouped(cell.entities),
            shown(cell.admission),
            cell.in_scope,
            cell.allowed,
            shown(decide.median()),
            shown(decide.percentile(99)),
            shown(beside.median()),
            ratio(decide.median(), beside.median()),
            shown(evaluate.median()),
            shown(each.median()),
            times(ratio(each.median(), evaluate.median())),
            cell.compared,
        );
    }
}

/// Prints what changes of the directory take.
pub fn changes(rows: &[Changed]) {
    println!("\n### Changes of the directory\n");
    println!("| change | entities | new World p50 | p99 | admission p50 | p99 | changes |");
    println!("|---|---:|---:|---:|---:|---:|---:|");
    for row in rows {
        let Changed { what, entities, folded, admitted } = row;
        let [a, b] = [50, 99].map(|percent| shown(folded.percentile(percent)));
        let [c, d] = [50, 99].map(|percent| shown(admitted.percentile(percent)));
        let (entities, count) = (grouped(*entities), grouped(folded.len()));
        println!("| {what} | {entities} | {a} | {b} | {c} | {d} | {count} |");
    }
}

/// Prints what entities take in memory.
pub fn memory(rows: &[Taken]) {
    println!("\n### Memory an entity\n");
    println!("| workload | entities | untyped | typed | typing one, once |");
    println!("|---|---:|---:|---:|---:|");
    for row in rows {
        let Taken { workload, entities, untyped, typed, typing } = row;
        let (entities, typing) = (grouped(*entities), shown(*typing));
        println!("| {workload} | {entities} | {untyped:.0} bytes | {typed:.0} bytes | {typing} |");
    }
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

fn times(ratio: f64) -> String {
    if ratio < 100.0 { format!("{ratio:.1}") } else { grouped(ratio.round() as usize) }
}
