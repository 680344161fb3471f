//! Decides an access: request to Cedar, entity slice, decision. Pure.

mod administration;
mod ask;
mod bounded;
mod covered;
mod decide;
mod doubt;
mod entities;
mod explain;
mod facts;
mod naming;
mod personal;
mod sentence;
mod session;
mod shadow;
mod step_up;
mod unrecorded;

pub use administration::{Administration, administrative, may_not};
pub use ask::Ask;
pub use covered::weighed;
pub use decide::{Again, OURS, decide, decide_again, decide_as_of, decide_if, decide_on};
pub use doubt::doubt;
pub use explain::{Asked, Explanation, PolicyExplained, Role, explain, explain_again};
pub use facts::SharedFacts;
pub use naming::{asked_of, names_of};
pub use personal::Gaps;
pub use session::vouched;
pub use unrecorded::rests_on_unrecorded;
