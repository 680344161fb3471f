//! Every URL. One file per resource; `routes` is the page that lists them all.

mod answer;
mod app;
mod audit;
mod body;
mod caller;
mod drain;
mod enrol;
mod entities;
mod evaluation;
mod evaluations;
mod events;
mod follow;
mod guard;
mod health;
mod login;
mod metadata;
mod mfa;
mod observe;
mod peer;
mod policies;
mod problem;
mod refusals;
mod request_id;
mod routes;
mod schema;
mod server;
mod session;
mod tls;
mod tokens;
mod traffic;
mod users;

pub use app::App;
pub use drain::Stop;
pub use problem::Problem;
pub use routes::{TEMPLATES, routes};
pub use server::{Running, ServeError, serve};
