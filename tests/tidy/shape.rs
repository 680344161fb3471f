//! How long things are, and what files are called.

use super::source::{File, Violation};

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;
const COLUMNS: usize = 100;

pub(crate) fn file_length(file: &File) -> Vec<Violation> {
    let lines = file.text.lines().count();
    let long = lines > FILE_LINES;
    let what = format!("{lines} lines; split by subject into files of at most {FILE_LINES}");
    long.then(|| file.broken(FILE_LINES + 1, what)).into_iter().collect()
}

pub(crate) fn function_length(file: &File) -> Vec<Violation> {
    let functions = (0..file.len()).filter(|at| {
        let named = file.token(at + 1).starts_with(|c: char| c == '_' || c.is_alphabetic());
        file.token(*at) == "fn" && named
    });
    functions
        .filter_map(|at| {
            let lines = file.line(file.item_end(at)) - file.line(at) + 1;
            let name = file.token(at + 1);
            let what = format!("`{name}` has {lines} lines; make it at most {FUNCTION_LINES}");
            (lines > FUNCTION_LINES).then(|| file.broken_at(at, what))
        })
        .collect()
}

/// A line may be longer for a URL that starts in time, or for data said to be so on
/// the line before: `// raw data: whence`.
pub(crate) fn columns(file: &File) -> Vec<Violation> {
    let mut before = "";
    let mut found = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        let columns = line.chars().count();
        let url = line
            .rsplit(' ')
            .next()
            .is_some_and(|word| word.contains("://") && columns - word.chars().count() < COLUMNS);
        let data = before.trim_start().strip_prefix("// raw data: ").is_some();
        if columns > COLUMNS && !url && !data {
            let what = format!("{columns} columns; break the line at {COLUMNS}");
            found.push(file.broken(number, what));
        }
        before = line;
    }
    found
}

pub(crate) fn names(file: &File) -> Vec<Violation> {
    let parts = file.path.split('/').map(|part| part.trim_end_matches(".rs"));
    let named = parts.filter(|part| says_nothing(part)).map(|part| (1, part));
    let modules = (0..file.len())
        .filter(|at| file.token(*at) == "mod" && says_nothing(file.token(at + 1)))
        .map(|at| (file.line(at), file.token(at + 1)));
    named
        .chain(modules)
        .map(|(line, name)| {
            let what = format!("`{name}` says nothing; name it after the one thing inside");
            file.broken(line, what)
        })
        .collect()
}

fn says_nothing(name: &str) -> bool {
    let last = name.rsplit('_').next().unwrap_or(name);
    name == "common" || ["util", "utils", "helper", "helpers", "manager"].contains(&last)
}
