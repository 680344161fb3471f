//! Something valid, slightly spoilt: what a parser meets on a bad day.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index as Pick;

/// A change of a few bytes.
#[derive(Debug, Clone)]
enum Edit {
    Replace(Pick, u8),
    Insert(Pick, u8),
    Remove(Pick),
    Cut(Pick),
    Double(Pick, Pick),
}

/// A few changes, one after the other; none is one of the possibilities.
#[derive(Debug, Clone)]
pub(crate) struct Edits(Vec<Edit>);

pub(crate) fn edits() -> impl Strategy<Value = Edits> {
    // Bytes that mean something to the formats, and any.
    let byte = || prop_oneof![prop::sample::select(b"\n 0+=/x.pAB-".to_vec()), any::<u8>(),];
    let edit = prop_oneof![
        (any::<Pick>(), byte()).prop_map(|(at, byte)| Edit::Replace(at, byte)),
        (any::<Pick>(), byte()).prop_map(|(at, byte)| Edit::Insert(at, byte)),
        any::<Pick>().prop_map(Edit::Remove),
        any::<Pick>().prop_map(Edit::Cut),
        (any::<Pick>(), any::<Pick>()).prop_map(|(from, to)| Edit::Double(from, to)),
    ];
    vec(edit, 0..4).prop_map(Edits)
}

impl Edits {
    pub(crate) fn of_bytes(&self, valid: &[u8]) -> Vec<u8> {
        let mut bytes = valid.to_vec();
        for edit in &self.0 {
            let within = |at: &Pick| at.index(bytes.len().max(1)).min(bytes.len());
            match edit {
                _ if bytes.is_empty() => {}
                Edit::Replace(at, byte) => {
                    let at = within(at);
                    bytes[at] = *byte;
                }
                Edit::Insert(at, byte) => bytes.insert(within(at), *byte),
                Edit::Remove(at) => drop(bytes.remove(within(at))),
                Edit::Cut(at) => bytes.truncate(within(at)),
                Edit::Double(from, to) => {
                    let (from, to) = (within(from), within(to));
                    let part = bytes[from.min(to)..from.max(to)].to_vec();
                    bytes.extend(part);
                }
            }
        }
        bytes
    }

    /// The same of a text; what is no UTF-8 then is replaced.
    pub(crate) fn of(&self, valid: &str) -> String {
        String::from_utf8_lossy(&self.of_bytes(valid.as_bytes())).into_owned()
    }
}
