//! Questions to whoever sits at the terminal, or lines from standard input.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use zeroize::Zeroizing;

use super::console::Console;
use super::failure::Failure;
use super::terminal::Hiding;

/// The most bytes of one answer.
const ANSWER_BYTES_MAX: u64 = 4_096;

/// Asks for a line that may be seen, such as a six-digit code.
///
/// # Errors
/// Usage, if there is none.
pub(super) fn open(console: &mut Console, what: &str) -> Result<Zeroizing<String>, Failure> {
    if io::stdin().is_terminal() {
        console.question(&format!("{what}: "));
    }
    line(what)
}

/// Asks for a line that must not be seen; at a terminal what is typed is not shown.
///
/// # Errors
/// Usage, if there is none; could not run, if typing cannot be hidden.
pub(super) fn hidden(console: &mut Console, what: &str) -> Result<Zeroizing<String>, Failure> {
    if !io::stdin().is_terminal() {
        return line(what);
    }
    // Before it is asked: whoever answers at once must not see it either.
    let _hiding = Hiding::begin()?;
    console.question(&format!("{what} (not shown): "));
    let line = line(what);
    console.aside("");
    line
}

fn line(what: &str) -> Result<Zeroizing<String>, Failure> {
    // Room for all of it, so that growing leaves no copy behind.
    let mut line =
        Zeroizing::new(String::with_capacity(usize::try_from(ANSWER_BYTES_MAX).unwrap_or(0)));
    let read = io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut line);
    let read = read.map_err(|error| Failure::could_not_run(format!("cannot read {what}: {error}")));
    if read? == 0 {
        return Err(Failure::usage(format!("no {what}: type it, or send it on standard input")));
    }
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(line)
}
