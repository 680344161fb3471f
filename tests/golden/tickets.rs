//! A ticket that does not count is tried.

use std::convert::Infallible;

use countersign::event::{Actor, Event, TicketRefused};

use crate::scribe::Scribe;

/// Somebody gives a ticket that was never one.
pub fn refused(scribe: &mut Scribe) {
    let refused = Event::TicketRefused(TicketRefused { ticket: scribe.digest() });
    scribe.write(&Actor::Anonymous, Ok::<_, Infallible>(vec![refused]));
}
