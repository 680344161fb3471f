//! The log in short: the names of what was recorded.

use countersign::event::{Envelope, Event};

use crate::app::TestApp;

/// How many entries the log has.
pub fn size(app: &TestApp) -> usize {
    usize::try_from(app.node.sequencer.store().size()).unwrap()
}

/// The entries from `first` on.
pub fn since(app: &TestApp, first: usize) -> Vec<Envelope> {
    app.log().split_off(first)
}

/// Their names, such as `password.verified`.
pub fn names(app: &TestApp, first: usize) -> Vec<String> {
    since(app, first).iter().map(|entry| name(&entry.event)).collect()
}

fn name(event: &Event) -> String {
    let name = event.type_name().strip_prefix("countersign.").unwrap();
    name.strip_suffix(".v1").unwrap().to_owned()
}
