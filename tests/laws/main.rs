//! What must hold of the writer and of the World whatever happens: when the disk
//! fails, when many propose at once, and for any log there can be; and what must hold of
//! a log's tree and of its notes, whoever computes or spoils them.

#![cfg(test)]

mod bodies;
mod course;
mod mutation;
mod notes;
mod publishing;
mod sequencer;
mod snapshot;
mod tree;
mod world;
mod writer;
