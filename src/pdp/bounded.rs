//! Lists in a decision event are bounded, so that the event is.

use serde::Serialize;

/// The most bytes that one list may take as JSON.
const LIST_BYTES_MAX: usize = 3 * 1024;

/// The longest message of a policy's error, in characters.
const MESSAGE_CHARS_MAX: usize = 512;

/// The first items that fit, and how many did not.
pub(super) fn fitting<T: Serialize>(items: Vec<T>) -> (Vec<T>, u64) {
    fitting_in(LIST_BYTES_MAX, items)
}

/// The first items that fit into so many bytes, and how many did not.
pub(super) fn fitting_in<T: Serialize>(bytes_max: usize, items: Vec<T>) -> (Vec<T>, u64) {
    let mut left = bytes_max;
    let all = items.len();
    let kept: Vec<T> = items
        .into_iter()
        .take_while(|item| {
            let bytes = serde_json::to_string(item).map_or(usize::MAX, |text| text.len());
            let fits = bytes < left;
            left = left.saturating_sub(bytes.saturating_add(1));
            fits
        })
        .collect();
    let omitted = (all - kept.len()) as u64;
    (kept, omitted)
}

/// A message short enough to record.
pub(super) fn message(text: String) -> String {
    if text.chars().nth(MESSAGE_CHARS_MAX).is_none() {
        return text;
    }
    text.chars().take(MESSAGE_CHARS_MAX).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_what_fits_and_counts_the_rest() {
        let (kept, omitted) = fitting(vec!["x".repeat(1_000); 5]);
        assert_eq!((kept.len(), omitted), (3, 2));
        assert_eq!(fitting(vec![1, 2, 3]), (vec![1, 2, 3], 0));
    }
}
