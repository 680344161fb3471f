//! The pages: what a browser is told, whose forms are taken, who sees which page.

mod account;
mod forms;
mod frame;
mod markup;
mod passwords;
mod ways;
