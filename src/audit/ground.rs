//! What a report is about: a World of some moment, perhaps with a draft in it, perhaps held
//! against another.

use super::Then;
use crate::cedar::Limits;
use crate::event::VersionRef;
use crate::model::{GoOn, Moment, SetKind};
use crate::pap::{Draft, Refusal, supposed};
use crate::projection::World;

/// The World that a report is about.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The World; a draft is in it already.
    pub world: World,
    /// As of when.
    pub as_of: Then,
    /// True if its policies are a draft.
    pub draft: bool,
    /// What it is held against.
    pub before: Option<Before>,
    /// Whether the report is to go on.
    pub go_on: GoOn,
}

/// What a report holds its World against.
#[derive(Clone, Debug)]
pub struct Before {
    /// What it is, in words.
    pub what: String,
    /// The World.
    pub world: World,
    /// The time at which it is asked.
    pub time: Moment,
}

impl Ground {
    /// A World as it was.
    #[must_use]
    pub const fn new(world: World, as_of: Then) -> Self {
        Self { world, as_of, draft: false, before: None, go_on: GoOn::ALWAYS }
    }

    /// The same for as long as somebody waits for the report.
    #[must_use]
    pub fn heeding(self, go_on: GoOn) -> Self {
        Self { go_on, ..self }
    }

    /// The same held against the World of another moment.
    #[must_use]
    pub fn compared(self, world: World, then: Then) -> Self {
        let what = format!("entry {}, {}", then.index, then.time);
        Self { before: Some(Before { what, world, time: then.time }), ..self }
    }

    /// The same World with a draft in place of what was in force, held against what was in
    /// force if against nothing else. Costs a compilation; call it on a large stack.
    ///
    /// # Errors
    /// [`Refusal`], with each fault.
    pub fn supposing(self, draft: &Draft) -> Result<Self, Refusal> {
        let set = supposed(&self.world, draft, &Limits::default())?;
        let (in_force, time) = (self.world.clone(), self.as_of.time);
        let version = in_force.set(SetKind::Application).in_force().map(|it| it.version);
        let what = version.map_or_else(
            || "nothing in force".to_owned(),
            |version| format!("the policies in force, version {version}"),
        );
        let before = self.before.unwrap_or(Before { what, world: in_force, time });
        let world = self.world.supposing(set);
        Ok(Self { world, draft: true, before: Some(before), ..self })
    }

    /// The policies that are asked.
    #[must_use]
    pub fn policies(&self) -> Option<VersionRef> {
        self.world.set(SetKind::Application).in_force()
    }
}
