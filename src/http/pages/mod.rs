//! Pages for people: rendered here, useful from the keyboard and without scripts, and
//! made of nothing that is not served from here.
//!
//! A page shows (`GET`, which changes nothing) or takes a form (`POST`) and sends the
//! browser on (303), so that reloading repeats nothing. What a form does is what the API's
//! endpoint of the same purpose does, by the same function. `visitor` says who is there
//! and where they belong, `form` takes nothing but our own forms, `answer` puts the headers
//! on, `layout` is the frame and its parts.

pub mod account;
mod answer;
pub mod assets;
pub mod authenticators;
mod away;
pub mod code;
mod form;
mod layout;
mod passkeys;
pub mod password;
pub mod recovery;
pub mod sessions;
pub mod set_up;
pub mod sign_in;
pub mod sign_out;
mod visitor;
mod words;

pub use away::Away;
