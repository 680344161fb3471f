//! The only way to standard output and standard error.

use std::io::{self, IsTerminal as _, Write};

use serde::Serialize;

use super::failure::Failure;
use super::page::{Ink, Page};

/// How wide a page is where the terminal does not say.
const COLUMNS: usize = 100;

/// For whom output is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON value on one line.
    Json,
}

/// What is told to people and to programs alike: its members are what a program gets.
pub(super) trait Telling: Serialize {
    /// Lays it out for people.
    fn tell(&self, page: &mut Page);
}

/// Both outputs of a command, and how to write to them.
pub(super) struct Console {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    format: Format,
    layout: Layout,
    /// True if somebody watches the second output as it is written.
    watched: bool,
}

/// What the first output can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Characters in a line of text.
    pub(super) columns: usize,
    /// Whether tables keep to that too. Where programs read along, such as `grep`, a
    /// row stays one line.
    pub(super) narrow: bool,
    /// Whether colours are shown.
    pub(super) colour: bool,
}

impl Console {
    /// This process's own outputs. Colours and broken lines are for terminals only;
    /// `NO_COLOR` is honoured (<https://no-color.org>).
    pub(super) fn of_process(format: Format) -> Self {
        let terminal = io::stdout().is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let columns = terminal.then(super::terminal::columns).flatten();
        let layout = Layout {
            columns: columns.unwrap_or(COLUMNS).clamp(40, 400),
            narrow: terminal,
            colour: terminal && !plain,
        };
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            format,
            layout,
            watched: io::stderr().is_terminal(),
        }
    }

    /// Other outputs, which nobody watches.
    pub(super) fn to(
        out: impl Write + Send + 'static,
        err: impl Write + Send + 'static,
        format: Format,
    ) -> Self {
        let layout = Layout { columns: COLUMNS, narrow: false, colour: false };
        Self { out: Box::new(out), err: Box::new(err), format, layout, watched: false }
    }

    /// For whom.
    pub(super) const fn format(&self) -> Format {
        self.format
    }

    /// True if a person watches progress as it is made.
    pub(super) const fn is_watched(&self) -> bool {
        self.watched
    }

    /// True if tables must keep to the width of a terminal.
    pub(super) const fn is_narrow(&self) -> bool {
        self.layout.narrow
    }

    /// An empty page as wide as the output.
    pub(super) fn page(&self) -> Page {
        Page::new(self.layout)
    }

    /// Tells a result, once: laid out, or as one line of JSON.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn tell(&mut self, what: &impl Telling) -> Result<(), Failure> {
        match self.format {
            Format::Text => {
                let mut page = self.page();
                what.tell(&mut page);
                self.show(page)
            }
            Format::Json => {
                let json = serde_json::to_string(what)
                    .map_err(|error| Failure::could_not_run(format!("cannot write JSON: {error}")));
                self.raw(&json?)
            }
        }
    }

    /// Writes a page.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn show(&mut self, page: Page) -> Result<(), Failure> {
        page.into_lines().iter().try_for_each(|line| writeln!(self.out, "{line}"))?;
        Ok(self.out.flush()?)
    }

    /// Writes one line as it is, such as a stored entry.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn raw(&mut self, line: &str) -> Result<(), Failure> {
        writeln!(self.out, "{line}")?;
        Ok(self.out.flush()?)
    }

    /// Says something beside the result, such as progress. That it could not be said
    /// is no reason to stop.
    pub(super) fn aside(&mut self, line: &str) {
        let _unheard = writeln!(self.err, "{}", super::page::printable(line));
    }

    /// Asks something, without ending the line.
    pub(super) fn question(&mut self, text: &str) {
        let _unseen = write!(self.err, "{}", super::page::printable(text));
        let _unseen = self.err.flush();
    }

    /// Replaces the line of progress that a person watches; `None` ends it.
    pub(super) fn progress(&mut self, line: Option<&str>) {
        let _unseen = match line {
            Some(line) => write!(self.err, "\r\u{1b}[2K{}", super::page::printable(line)),
            None => write!(self.err, "\r\u{1b}[2K"),
        };
        let _unseen = self.err.flush();
    }

    /// Says why the command failed: a line for people, or JSON for programs.
    pub(super) fn fail(&mut self, failure: &Failure) {
        if self.format == Format::Json {
            let json = serde_json::to_string(failure).unwrap_or_default();
            let _unheard = writeln!(self.err, "{json}");
            return;
        }
        let mut page =
            Page::new(Layout { colour: self.watched && self.layout.colour, ..self.layout });
        page.marked("countersign:", Ink::Bad, failure.what());
        for fault in failure.faults() {
            page.blank();
            page.verbatim(&fault.to_string());
        }
        for line in page.into_lines() {
            let _unheard = writeln!(self.err, "{line}");
        }
    }
}

/// What was written, where a test can read it. Clones are one output.
#[cfg(test)]
#[derive(Clone, Default)]
pub(super) struct Kept(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

#[cfg(test)]
impl Kept {
    /// All of it.
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[cfg(test)]
impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Answer {
        answer: u8,
    }

    impl Telling for Answer {
        fn tell(&self, page: &mut Page) {
            page.field("answer", &self.answer.to_string());
        }
    }

    fn told(format: Format) -> String {
        let out = Kept::default();
        Console::to(out.clone(), io::sink(), format).tell(&Answer { answer: 42 }).unwrap();
        out.text()
    }

    #[test]
    fn people_get_a_layout_and_programs_one_line_of_json() {
        assert_eq!(told(Format::Text), "answer      42\n");
        assert_eq!(told(Format::Json), "{\"answer\":42}\n");
    }

    #[test]
    fn a_failure_is_told_to_both_on_the_second_output() {
        let failure = Failure::refused("unchanged", "nothing would change");
        let told = |format| {
            let (out, err) = (Kept::default(), Kept::default());
            Console::to(out.clone(), err.clone(), format).fail(&failure);
            assert_eq!(out.text(), "");
            err.text()
        };
        assert_eq!(told(Format::Text), "countersign: nothing would change\n");
        let json = "{\"code\":\"unchanged\",\"detail\":\"nothing would change\"}\n";
        assert_eq!(told(Format::Json), json);
    }
}
