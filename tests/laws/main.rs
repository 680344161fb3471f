//! What must hold of the writer and of the World whatever happens: when the disk
//! fails, when many propose at once, and for any log there can be.

#![cfg(test)]

mod course;
mod sequencer;
mod snapshot;
mod world;
mod writer;
