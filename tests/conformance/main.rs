//! Test data that nobody here wrote, through the real code. It lies in the folder named
//! by `COUNTERSIGN_VECTORS`; where that is unset the tests say so and pass.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and says on standard output why it is skipped"
)]

#[path = "../binary/call.rs"]
mod call;
mod cedar;
mod export;
mod litewitness;
mod tlog;

use std::path::PathBuf;

/// A folder of vectors, or nothing, and then the test that wanted it has said so.
fn vectors(folder: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os("COUNTERSIGN_VECTORS") else {
        println!("skipped: COUNTERSIGN_VECTORS does not name the folder of the test vectors");
        return None;
    };
    Some(PathBuf::from(root).join(folder))
}
