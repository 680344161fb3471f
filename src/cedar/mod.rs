//! Cedar made safe: limits, parsing, compiled schema and policies, values from JSON,
//! evaluation. The only room that names Cedar's crates, but for `symbolic`, which asks a
//! process about policies in Cedar's public types.
//!
//! Cedar's core crate is pinned to one release: its interfaces are internal and may
//! change in any other.

mod around;
mod clauses;
pub mod codes;
mod declared;
mod diagnosis;
#[cfg(test)]
mod differential;
mod effect;
mod entity;
mod evaluate;
#[cfg(test)]
mod example;
mod excerpt;
mod expression;
mod extension;
mod fault;
mod format;
mod grants;
mod heard;
mod index;
mod instance;
mod kin;
mod known;
mod limits;
mod lint;
mod literal;
mod narrow;
mod numbers;
mod parse;
mod personal;
mod policies;
mod reads;
mod sayings;
mod scan;
mod schema;
mod scope;
mod seen;
mod shape;
mod shrink;
mod slice;
mod source;
mod stack;
mod statement;
mod strangers;
mod syntax_advice;
mod terrain;
mod trial;
mod type_advice;
mod types;
mod validate;
mod value;
mod walls;
mod weigh;

pub use clauses::{Clause, Part};
pub use effect::Effect;
pub use entity::{EntitySource, TypedEntity};
pub use evaluate::{Evaluation, PolicyError, Question};
pub use fault::Fault;
pub use format::formatted;
pub use grants::{Applicable, Grant, Named};
pub use instance::{Instance, Matched};
pub use known::{Known, TypedFacts};
pub use limits::Limits;
pub use literal::entity_named;
pub use narrow::narrowed;
pub use policies::CompiledPolicies;
pub use reads::Missing;
pub use sayings::{Said, Sayable};
pub use schema::{CompiledSchema, Misfit};
pub use seen::{Found, Seen};
pub use shape::{Context, Overlaid, Shaped};
pub use source::{read_policies, read_policies_named_in_order};
pub use stack::{on_large_stack, on_large_stacks};
pub use statement::{Assumption, Statement};
pub use weigh::{ClauseWeighed, ERRED_ON_PERSONAL, Near, Outcome, Piece, PolicyWeighed, Truth};

/// The version of the Cedar crates.
#[must_use]
pub fn sdk_version() -> String {
    cedar_policy::get_sdk_version().to_string()
}

/// The version of the Cedar language they speak.
#[must_use]
pub fn language_version() -> String {
    cedar_policy::get_lang_version().to_string()
}
