//! The API over a real socket: a server on a free loopback port, a sled log in a
//! fresh directory, and nothing mocked but the clock, chance and the cost of hashes.

#![cfg(test)]

mod app;

mod access;
mod administration;
mod audit;
mod authenticators;
mod authoring;
mod authzen;
mod batch;
mod bodies;
mod checking;
mod cookies;
mod cross_check;
mod directory;
mod door;
mod enrolment;
mod erasure;
mod explaining;
mod identity_provider;
mod impact;
mod journal;
mod keys;
#[path = "../conformance/litewitness.rs"]
mod litewitness;
mod login;
mod mfa;
mod notifications;
mod office;
mod overload;
mod pace;
mod pages;
mod passkeys;
mod passwords;
mod past;
mod protected_resource;
mod races;
mod recovery;
mod secrets;
mod sessions;
mod sessions_in_decisions;
mod shadow;
mod step_up;
mod strange;
mod strangers;
mod throttling;
mod tls;
mod transparency;
mod traps;
mod vault;
mod versions;
mod witness;

/// A folder of vectors that nobody here wrote, or nothing, and then the test that wanted
/// it has said so.
fn vectors(folder: &str) -> Option<std::path::PathBuf> {
    let Some(root) = std::env::var_os("COUNTERSIGN_VECTORS") else {
        println!("skipped: COUNTERSIGN_VECTORS does not name the folder of the test vectors");
        return None;
    };
    Some(std::path::PathBuf::from(root).join(folder))
}
