//! The terminal that a person sits at, asked and set by POSIX `stty`.

use std::fs::File;
use std::process::{Command, Output, Stdio};

use super::failure::Failure;

/// How many columns it shows, if there is one that says so.
pub(super) fn columns() -> Option<usize> {
    let answer = stty("size")?;
    let text = String::from_utf8(answer.stdout).ok()?;
    let columns = text.split_whitespace().nth(1)?.parse().ok()?;
    (columns > 0).then_some(columns)
}

/// While it lives, what is typed is not shown.
pub(super) struct Hiding;

impl Hiding {
    /// Begins to hide what is typed.
    ///
    /// # Errors
    /// Could not run, if the terminal goes on showing it.
    pub(super) fn begin() -> Result<Self, Failure> {
        if stty("-echo").is_some() {
            return Ok(Self);
        }
        Err(Failure::could_not_run(
            "cannot hide what is typed (`stty -echo` failed): send it on standard input",
        ))
    }
}

impl Drop for Hiding {
    fn drop(&mut self) {
        let _stays_hidden = stty("echo");
    }
}

/// Its answer, if it has done what it was asked.
fn stty(what: &str) -> Option<Output> {
    // Not our standard input, which may be a file.
    let terminal = File::open("/dev/tty").ok()?;
    let answer = Command::new("stty").arg(what).stdin(terminal).stderr(Stdio::null()).output();
    answer.ok().filter(|answer| answer.status.success())
}
