//! What a decision costs by the number of policies and of entities, beside Cedar's own
//! `is_authorized` on the same World; what a change of the directory costs; what an
//! entity takes in memory. `cargo bench --bench curve`; what it printed on which machine, and
//! the budgets (one decision, directory change), are in benches/README.md.
//!
//! Three workloads are drawn by a seed, each with policies by themselves and as links to
//! a few templates. Before anything is timed, every answer is compared with Cedar's.
//! `-- --quick` runs a few small cells, `-- --plots DIR` draws.

#![cfg(test)] // so that the lints take all of this for a test
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]

mod arguments;
mod cell;
mod chance;
mod changes;
mod drive;
mod ground;
mod lists;
mod memory;
mod plot;
mod repositories;
mod samples;
mod scope;
mod table;
mod workload;

use std::fs;
use std::path::Path;

use countersign::projection::World;

use arguments::Arguments;
use cell::{Cell, Effort, Ruled};
use ground::{admit_policies, founded, peopled, put_in_force};
use plot::{Line, Plot};
use samples::{Samples, grouped, shown, timed};
use workload::{Form, Organisation, Workload};

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn workloads() -> [&'static Workload; 3] {
    [&drive::DRIVE, &repositories::REPOSITORIES, &lists::LISTS]
}

fn main() {
    if memory::measuring() {
        return;
    }
    let Some(arguments) = Arguments::read() else { return };
    for workload in workloads().into_iter().filter(|one| arguments.includes(one.name)) {
        curve(workload, &arguments);
    }
    let (sizes, count) = (arguments.entities.iter(), arguments.changes);
    if arguments.includes("changes") {
        let rows: Vec<_> = sizes.clone().flat_map(|size| changes::measured(*size, count)).collect();
        table::changes(&rows);
    }
    if arguments.includes("memory") {
        let all =
            workloads().into_iter().flat_map(|one| sizes.clone().map(move |size| (one, *size)));
        let rows: Vec<_> = all.map(|(workload, size)| memory::measured(workload, size)).collect();
        table::memory(&rows);
    }
}

/// Every cell of a workload.
fn curve(workload: &'static Workload, arguments: &Arguments) {
    let effort = if arguments.whole { Effort::FULL } else { Effort::TRIED };
    let empty = founded(workload);
    let peopled = |size: &usize| {
        let organisation = Organisation { workload, size: *size };
        let (world, took) = timed(|| peopled(&empty, &organisation));
        let (name, size, took) = (workload.name, grouped(*size), shown(took));
        println!("\n{name}: a directory of {size} entities was admitted and folded in {took}.");
        (organisation, world)
    };
    let grounds: Vec<(Organisation, World)> = arguments.entities.iter().map(peopled).collect();
    for form in Form::ALL {
        let mut cells = Vec::new();
        let fewest = arguments.policies.iter().min().copied().unwrap_or_default();
        let beside = |ground| ruled(&empty, ground, form, fewest).world;
        let beside: Vec<_> = grounds.iter().map(beside).collect();
        for policies in &arguments.policies {
            for (ground, beside) in grounds.iter().zip(&beside) {
                let ruled = ruled(&empty, ground, form, *policies);
                cells.push(cell::measured(&ruled, beside, &ground.0, effort));
            }
        }
        table::cells(&format!("{}, {} policies", workload.name, form.name()), &cells);
        if let (Some(folder), Form::Static) = (&arguments.plots, form) {
            draw(workload.name, &cells, folder);
        }
    }
}

/// A directory under so many policies.
fn ruled(
    empty: &World,
    (organisation, peopled): &(Organisation, World),
    form: Form,
    policies: usize,
) -> Ruled {
    // They name entities of an organisation that is large enough for them: so the same
    // entity is named by about as many policies, however many there are of either.
    let size = organisation.size.max(policies);
    let whole = Organisation { workload: organisation.workload, size };
    let (sources, rules) = organisation.workload.policies(&whole, form, policies);
    let mut world = peopled.clone();
    let (admitted, admission) = timed(|| admit_policies(empty, sources));
    put_in_force(&mut world, &admitted);
    Ruled { world, rules, admission }
}

/// Draws a workload's cells by policies and by entities.
fn draw(name: &str, cells: &[Cell], folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let by_policies = Plot {
        title: format!("{name}: time by number of policies"),
        across: "policies",
        lines: lines(cells, |it| it.policies, |it| it.entities, "entities"),
    };
    let by_entities = Plot {
        title: format!("{name}: time by number of entities"),
        across: "entities",
        lines: lines(cells, |it| it.entities, |it| it.policies, "policies"),
    };
    for (plot, what) in [(by_policies, "policies"), (by_entities, "entities")] {
        fs::write(folder.join(format!("{name}-{what}.svg")), plot.to_svg()).unwrap();
    }
}

/// A line of ours and one of Cedar's for each number of the other thing.
fn lines(
    cells: &[Cell],
    across: impl Fn(&Cell) -> usize,
    other: impl Fn(&Cell) -> usize,
    others: &str,
) -> Vec<Line> {
    let mut families: Vec<_> = cells.iter().map(&other).collect();
    families.sort_unstable();
    families.dedup();
    let line = |dashed: bool, what: &str, time: fn(&Cell) -> &Samples| {
        let of = |(family, number): (usize, &usize)| {
            let mine = cells.iter().filter(|cell| other(cell) == *number);
            let points = mine.map(|cell| (across(cell), time(cell).median().as_secs_f64()));
            let name = format!("{what}, {} {others}", grouped(*number));
            Line { name, family, dashed, points: points.collect() }
        };
        families.iter().enumerate().map(of).collect::<Vec<_>>()
    };
    let mut lines = line(true, "Cedar", |cell| &cell.each);
    lines.extend(line(false, "decide", |cell| &cell.decide));
    lines
}
