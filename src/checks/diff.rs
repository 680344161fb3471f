//! The lines by which two texts differ.

use serde::{Deserialize, Serialize};

/// How many lines around a difference are shown.
const CONTEXT: usize = 3;

/// The most pairs of lines that are held against each other; what is longer is shown as
/// taken out and put in whole.
const PAIRS_MAX: usize = 4_000_000;

/// A line of a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "what", content = "line")]
pub enum Line {
    /// Only in the text before.
    Removed(String),
    /// Only in the text after.
    Added(String),
    /// In both, near a difference.
    Kept(String),
    /// So many lines in both are left out here.
    Skipped(usize),
}

/// The difference of two texts, line by line; nothing if they are the same.
///
/// Costs the product of the lines that differ, up to a limit.
#[must_use]
pub fn differing_lines(before: &str, after: &str) -> Vec<Line> {
    let (old, new): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let start = old.iter().zip(&new).take_while(|(one, other)| one == other).count();
    let ends = old.iter().skip(start).rev().zip(new.iter().skip(start).rev());
    let end = ends.take_while(|(one, other)| one == other).count();
    let middle = |all: &[&str]| -> Vec<String> {
        let count = all.len().saturating_sub(start + end);
        all.iter().skip(start).take(count).map(|line| (*line).to_owned()).collect()
    };
    let changed = aligned(&middle(&old), &middle(&new));
    if changed.is_empty() {
        return Vec::new();
    }
    let kept = |line: &&str| Line::Kept((*line).to_owned());
    let whole = old.iter().take(start).map(kept).chain(changed);
    let rest = old.iter().skip(old.len().saturating_sub(end)).map(kept);
    near(&whole.chain(rest).collect::<Vec<_>>())
}

/// Aligns two lists by their longest common part.
fn aligned(old: &[String], new: &[String]) -> Vec<Line> {
    let (removed, added) = (old.iter().cloned(), new.iter().cloned());
    if old.len().saturating_mul(new.len()) > PAIRS_MAX {
        return removed.map(Line::Removed).chain(added.map(Line::Added)).collect();
    }
    // `longest[i][j]`: how much the lists from `i` and from `j` on have in common.
    let mut longest = vec![vec![0_usize; new.len() + 1]];
    for one in old.iter().rev() {
        let below = longest.last().cloned().unwrap_or_default();
        let mut row = vec![0_usize; new.len() + 1];
        let mut right = 0;
        for (at, other) in new.iter().enumerate().rev() {
            let best = |at: usize| below.get(at).copied().unwrap_or_default();
            right = if one == other { best(at + 1) + 1 } else { best(at).max(right) };
            if let Some(cell) = row.get_mut(at) {
                *cell = right;
            }
        }
        longest.push(row);
    }
    longest.reverse();
    let common = |i: usize, j: usize| -> usize {
        longest.get(i).and_then(|row| row.get(j)).copied().unwrap_or_default()
    };
    let (mut i, mut j, mut all) = (0, 0, Vec::new());
    loop {
        match (old.get(i), new.get(j)) {
            (Some(one), Some(other)) if one == other => {
                all.push(Line::Kept(one.clone()));
                (i, j) = (i + 1, j + 1);
            }
            (Some(one), other) if other.is_none() || common(i + 1, j) >= common(i, j + 1) => {
                all.push(Line::Removed(one.clone()));
                i += 1;
            }
            (_, Some(other)) => {
                all.push(Line::Added(other.clone()));
                j += 1;
            }
            // Nothing is left of either: what is left of the one was taken above.
            (_, None) => return all,
        }
    }
}

/// Leaves out what is in both and not near a difference.
fn near(all: &[Line]) -> Vec<Line> {
    let differs = |at: usize| !matches!(all.get(at), None | Some(Line::Kept(_)));
    let is_near = |at: usize| {
        let from = at.saturating_sub(CONTEXT);
        (from..=at + CONTEXT).any(differs)
    };
    let (mut shown, mut skipped) = (Vec::new(), 0);
    for (at, line) in all.iter().enumerate() {
        if is_near(at) {
            if skipped > 0 {
                shown.push(Line::Skipped(skipped));
                skipped = 0;
            }
            shown.push(line.clone());
        } else {
            skipped += 1;
        }
    }
    if skipped > 0 {
        shown.push(Line::Skipped(skipped));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(before: &str, after: &str) -> Vec<String> {
        let told = |line: &Line| match line {
            Line::Removed(line) => format!("-{line}"),
            Line::Added(line) => format!("+{line}"),
            Line::Kept(line) => format!(" {line}"),
            Line::Skipped(count) => format!("…{count}"),
        };
        differing_lines(before, after).iter().map(told).collect()
    }

    #[test]
    fn what_differs_is_shown_with_what_is_around_it() {
        let before = "a\nb\nc\nd\ne\nf\ng\nh\ni\n";
        let after = "a\nb\nc\nd\nE\nf\ng\nh\ni\n";
        let expected = ["…1", " b", " c", " d", "-e", "+E", " f", " g", " h", "…1"];
        assert_eq!(shown(before, after), expected);
        assert!(shown(before, before).is_empty());
        assert_eq!(shown("", "x\n"), ["+x"]);
        assert_eq!(shown("x\ny", "y"), ["-x", " y"]);
    }

    proptest! {
        /// Law: what is taken out and what is kept is the text before; what is put in and
        /// what is kept is the text after.
        #[test]
        fn both_texts_are_in_the_difference(
            before in prop::collection::vec("[ab]", 0..6),
            after in prop::collection::vec("[ab]", 0..6),
        ) {
            let found = aligned(&before, &after);
            let left: Vec<_> = found.iter().filter_map(|line| match line {
                Line::Removed(line) | Line::Kept(line) => Some(line.clone()),
                _ => None,
            }).collect();
            let right: Vec<_> = found.iter().filter_map(|line| match line {
                Line::Added(line) | Line::Kept(line) => Some(line.clone()),
                _ => None,
            }).collect();
            prop_assert_eq!((left, right), (before, after));
        }
    }
}
