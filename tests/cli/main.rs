//! The command line, as people, scripts and pipelines use it: the real program, its
//! words, its JSON and its exit codes, over a stopped directory and over a server.

#![cfg(test)]

mod analysis;
mod authoring;
#[allow(dead_code)] // the tests that kill the program use the rest
#[path = "../binary/mod.rs"]
mod binary;
mod checking;
mod endings;
mod evidence;
mod explaining;
mod exporting;
mod founding;
mod impact;
mod importing;
mod mistakes;
mod office;
mod people;
mod place;
mod reading;
mod replaying;
mod reports;
mod restoring;
mod versions;
mod witnesses;
