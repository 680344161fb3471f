//! The `countersign` command.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Decisions are many small pieces that one thread makes and another drops.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    countersign::cli::main()
}
