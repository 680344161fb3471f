//! The program's command line called in the test's own process.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// Runs a command: its exit code, and all that it said.
pub fn call(arguments: &[&str]) -> (u8, String) {
    let said = Said::default();
    let code = countersign::cli::call(arguments.iter().copied(), said.clone(), said.clone());
    let said = String::from_utf8(said.0.lock().unwrap().clone()).unwrap();
    (code, said)
}

#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
