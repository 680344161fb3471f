//! Policies that do not matter to the question asked.

use std::ops::Range;

/// Policies for other people and things than the one that is asked about, some of them for
/// the same action.
pub fn others(numbers: Range<usize>) -> String {
    let other = |n: usize| {
        let (permit, forbid) = (format!("@id(\"o{n}\") permit"), format!("@id(\"o{n}\") forbid"));
        match n % 4 {
            0 => format!(
                "{permit} (principal == User::\"u{n}\", action == Action::\"open\", \
                 resource == ProtectedResource::\"r{n}\");\n"
            ),
            1 => format!(
                "{permit} (principal in Role::\"r{n}\", action == Action::\"view\", \
                 resource is Document) when {{ resource.classification == \"public\" }};\n"
            ),
            2 => format!(
                "{forbid} (principal in Role::\"r{n}\", action == Action::\"open\", \
                 resource is ProtectedResource) \
                 unless {{ context has session && context.session.aal >= 2 }};\n"
            ),
            _ => format!(
                "{permit} (principal in Segment::\"s{n}\", action == Action::\"connect\", \
                 resource in Segment::\"t{n}\");\n"
            ),
        }
    };
    numbers.map(other).collect()
}
