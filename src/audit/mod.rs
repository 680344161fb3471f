//! An auditor's work: replay, re-decide, findings; and the log made readable.
//!
//! [`Replay`] takes every decision of a log again and [`Report`] says what came of it;
//! [`Continuity`] checks that each entry follows the one before it. [`Query`] finds
//! entries, [`Verification`] holds a log against what was signed, [`describe`] tells one
//! in a line, and a [`Dossier`] holds everything that led to one decision. [`Impact`] says
//! what other policies would have changed.

mod as_of;
mod at;
mod blast_radius;
mod continuity;
mod decision;
#[cfg(test)]
mod doubt_tests;
mod explained;
mod filter;
mod ground;
mod impact;
mod least_privilege;
mod notice;
mod proven;
mod query;
mod reach;
mod replay;
mod report;
mod row;
#[cfg(test)]
mod sample;
mod segments;
mod shadow;
#[cfg(test)]
mod shadow_tests;
mod sign_in_row;
mod since;
mod spreadsheet;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod town;
mod verified;
mod verify;
mod version_row;

pub use as_of::{AsOf, Reasons, Then, Unseen};
pub use at::{At, NotThen};
pub use blast_radius::{BlastRadius, Choke, Jewel, NoRadius, Step, Taken, Widened};
pub use continuity::{Continuity, OutOfOrder};
pub use decision::{Dossier, Standing, Trail};
pub use explained::{Explained, Recorded, TakenAgain};
pub use filter::Filter;
pub use ground::{Before, Ground};
pub use impact::{
    Case, Counts, Flip, Impact, ImpactReport, Judged, NotAPatch, NotResumable, Novelty, Ranked,
    Ranking, Reasons as FlipReasons, Sample, Supposed, Supposition, Tally, Turned, Unsupposable,
    read_patch,
};
pub use least_privilege::{
    Finding as GrantFinding, GrantUse, LeastPrivilege, Proposal, Retaken, Row as GrantRow, Trial,
    Usage, User as GrantUser, Window as UseWindow,
};
pub use notice::Notice;
pub use proven::{Proven, Unproven};
pub use query::{BadQuery, Cursor, Order, Page, Query, position_of};
pub use reach::{Assurance, Need, NoAssurance, Prober, Reach, Undecided, Way};
pub use replay::Replay;
pub use report::{Determining, Difference, Finding, Kept, Report, TreeHead, Verdicts};
pub use row::describe;
pub use segments::{
    Attempt, Bounds, Bridge, Cell, CellVerdict, Condition, Counted, Coverage, Matrix, Moved,
    NoMatrix, Place, Segments, SegmentsDifference, Source, Traffic, Window,
};
pub use shadow::{ShadowReport, ShadowSample};
pub use since::Since;
pub use verified::{Cosignature, Verified, Waypoint};
pub use verify::{Claims, Verification};
