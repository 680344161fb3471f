//! The writer kept busy on purpose.

use std::sync::mpsc::{Receiver, Sender};

use actix_web::rt::System;
use countersign::event::Event;
use countersign::projection::World;
use countersign::sequencer::{Expected, Origin};

use super::TestApp;

/// Told when the writer has come to the proposal, and what lets it go on.
pub type Gate = (Sender<()>, Receiver<()>);

impl TestApp {
    /// Proposes to record nothing and waits for that; a gate holds the writer meanwhile.
    pub fn propose_nothing(&self, gate: Option<Gate>) {
        let decide = move |_: &World, _| {
            if let Some((entered, gate)) = gate {
                entered.send(()).unwrap();
                gate.recv().unwrap();
            }
            Ok::<Vec<Event>, ()>(Vec::new())
        };
        let proposed = self.node.sequencer.commit(Origin::node(), Expected::default(), decide);
        System::new().block_on(proposed).unwrap();
    }
}
