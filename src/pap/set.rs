//! Several files of policies as one set.

use std::collections::BTreeMap;

use super::links::{is_links, read_links};
use crate::cedar::{Fault, Limits, codes, read_policies};
use crate::model::{PolicyBody, PolicyId, PolicySource};

/// Reads files of Cedar policies, each given as its name and text, into one set: in the
/// order of the files, and within each in the order of its text. A file that is named
/// [`LINKS_FILE`](super::LINKS_FILE) has links of templates.
///
/// # Errors
/// All faults of all files: what a file says that is not Cedar, or no link, or exceeds a
/// limit, and every id that is used twice, with the names of the files.
pub fn set_of(texts: &[(&str, &str)], limits: &Limits) -> Result<Vec<PolicySource>, Vec<Fault>> {
    let (mut set, mut faults) = (Vec::new(), Vec::new());
    let mut found_in: BTreeMap<PolicyId, &str> = BTreeMap::new();
    for &(file, text) in texts {
        let read = if is_links(file) { read_links } else { read_policies };
        let sources = match read(file, text, limits) {
            Ok(sources) => sources,
            Err(found) => {
                faults.extend(found);
                continue;
            }
        };
        for source in sources {
            if let Some(first) = found_in.get(&source.id) {
                faults.push(repeated(&source, first, file, text));
            } else {
                found_in.insert(source.id.clone(), file);
                set.push(source);
            }
        }
    }
    if faults.is_empty() { Ok(set) } else { Err(faults) }
}

fn repeated(source: &PolicySource, first: &str, file: &str, text: &str) -> Fault {
    let message = format!("a policy in `{first}` has the same id");
    let mut fault = Fault::new(codes::POLICY_ID_DUPLICATE, message)
        .about(&source.id)
        .with_help("give each policy an `@id` of its own");
    fault.file = Some(file.into());
    fault.line = line_of(source, text);
    fault
}

/// The line, from 1, on which a policy's text begins in its file.
fn line_of(source: &PolicySource, text: &str) -> Option<u32> {
    let (PolicyBody::Static { text: own } | PolicyBody::Template { text: own }) = &source.body
    else {
        return None;
    };
    let before = text.get(..text.find(own.as_ref())?)?;
    u32::try_from(before.matches('\n').count() + 1).ok()
}
