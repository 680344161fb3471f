//! The command line: one file per subcommand.
//!
//! A command returns what it has to say; the console tells it to people or to
//! programs. Commands that work on a log take a stopped data directory or a running
//! server, and say the same of both.

mod authored;
mod client;
mod console;
mod demo;
mod enrol;
mod entities;
mod erase;
mod evaluate;
mod explain;
mod export;
mod failure;
mod folder;
mod hosting;
mod import;
mod init;
mod key;
mod keygen;
mod log;
mod login;
mod page;
mod password;
mod policy;
mod prompt;
mod proof;
mod publication;
mod published;
mod recover;
mod replay;
mod report;
mod schema;
mod serve;
mod stored;
mod table;
mod target;
mod terminal;
mod tiled;
mod token;
mod user;
mod user_import;
mod user_sessions;
mod verify;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use console::{Console, Format};
use failure::{Exit, Failure};

/// A zero-trust policy decision point that proves its answers
///
/// Applications ask "may this subject do this to that?"; Cedar policies decide, the
/// decision is recorded durably before anybody hears it, and an auditor replays the
/// record. `countersign demo` shows all of it in a minute.
#[derive(Parser, Debug)]
#[command(name = "countersign", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done; 1 something was found or refused; 2 wrong usage; \
    3 could not run.\nExample:\n  countersign demo")]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// For whom to write: text for people, json for programs
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(hide_possible_values = true)]
    format: Format,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Demo(demo::Demo),
    Init(init::Init),
    Serve(Box<serve::Serve>),
    Enrol(enrol::Enrol),
    Login(login::Login),
    Password(password::ChangePassword),
    User(user::User),
    Token(token::Token),
    Key(key::Key),
    Policy(policy::Policy),
    Schema(schema::Schema),
    Entities(entities::Entities),
    Log(Box<log::Log>),
    Replay(replay::Replay),
    Evaluate(evaluate::Evaluate),
    Explain(Box<explain::Explain>),
    Report(Box<report::Report>),
    Verify(verify::Verify),
    Proof(proof::Proof),
    Keygen(keygen::Keygen),
    Recover(recover::Recover),
}

impl Command {
    fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        match self {
            Self::Demo(demo) => demo.run(console),
            Self::Init(init) => init.run(console),
            Self::Serve(serve) => serve.run(console),
            Self::Enrol(enrol) => enrol.run(console),
            Self::Login(login) => login.run(console),
            Self::Password(password) => password.run(console),
            Self::User(user) => user.run(console),
            Self::Token(token) => token.run(console),
            Self::Key(key) => key.run(console),
            Self::Policy(policy) => policy.run(console),
            Self::Schema(schema) => schema.run(console),
            Self::Entities(entities) => entities.run(console),
            Self::Log(log) => log.run(console),
            Self::Replay(replay) => replay.run(console),
            Self::Evaluate(evaluate) => evaluate.run(console),
            Self::Explain(explain) => explain.run(console),
            Self::Report(report) => report.run(console),
            Self::Verify(verify) => verify.run(console),
            Self::Proof(proof) => proof.run(console),
            Self::Keygen(keygen) => keygen.run(console),
            Self::Recover(recover) => recover.run(console),
        }
    }
}

/// Runs the command that this process was called with.
///
/// # Returns
/// 0 done; 1 something was found or refused; 2 wrong usage; 3 could not run.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(Cli { command, format }) => run(&command, &mut Console::of_process(format)),
        Err(unread) => {
            // Help is written the same way, and is no error.
            let _unheard = unread.print();
            if unread.use_stderr() { Exit::Usage.into() } else { Exit::Fine.into() }
        }
    }
}

/// Runs a command as [`main`] does, with its arguments and outputs given: for who checks
/// many logs in one process.
///
/// # Returns
/// As [`main`].
pub fn call<'a>(
    arguments: impl IntoIterator<Item = &'a str>,
    out: impl Write + Send + 'static,
    mut err: impl Write + Send + 'static,
) -> u8 {
    let named = std::iter::once("countersign").chain(arguments);
    match Cli::try_parse_from(named) {
        Ok(Cli { command, format }) => ended(&command, &mut Console::to(out, err, format)).number(),
        Err(unread) => {
            let _unheard = write!(err, "{unread}");
            if unread.use_stderr() { Exit::Usage.number() } else { Exit::Fine.number() }
        }
    }
}

fn run(command: &Command, console: &mut Console) -> ExitCode {
    ended(command, console).into()
}

fn ended(command: &Command, console: &mut Console) -> Exit {
    match command.run(console) {
        Ok(exit) => exit,
        Err(failure) => {
            if !failure.is_reader_gone() {
                console.fail(&failure);
            }
            failure.exit()
        }
    }
}

#[cfg(test)]
mod tests;
