//! What differs between two texts, line by line.

use std::fmt::Write as _;

/// How many unchanged lines are shown around a change.
const AROUND: usize = 2;
/// The most pairs of lines that are compared; texts that differ in more are told whole.
const PAIRS_MAX: usize = 4_000_000;

/// One line of either text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line<'a> {
    Kept(&'a str),
    Removed(&'a str),
    Added(&'a str),
}

/// A unified diff of two texts: changed lines with two around them, hunks headed by
/// `@@ -LINE +LINE @@`. Empty for equal texts. Costs the product of what is left of both
/// once their common beginning and end are set aside, four million at most.
#[must_use]
pub fn diff(before: &str, after: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let lines = lines(&old, &new);
    let changed: Vec<_> = lines.iter().map(|line| !matches!(line, Line::Kept(_))).collect();
    let near = |at: usize| {
        let (from, to) = (at.saturating_sub(AROUND), (at + AROUND + 1).min(changed.len()));
        changed.get(from..to).is_some_and(|around| around.contains(&true))
    };
    let (mut text, mut open) = (String::new(), false);
    let (mut old_line, mut new_line) = (1, 1);
    for (at, line) in lines.iter().enumerate() {
        let shown = near(at);
        if shown && !open {
            let _ = writeln!(text, "@@ -{old_line} +{new_line} @@");
        }
        open = shown;
        let (mark, own, old_step, new_step) = match *line {
            Line::Kept(own) => (' ', own, 1, 1),
            Line::Removed(own) => ('-', own, 1, 0),
            Line::Added(own) => ('+', own, 0, 1),
        };
        if shown {
            let _ = writeln!(text, "{mark}{own}");
        }
        (old_line, new_line) = (old_line + old_step, new_line + new_step);
    }
    text
}

fn lines<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    let same = |(one, other): &(&&str, &&str)| one == other;
    let head = old.iter().zip(new).take_while(same).count();
    let (old_rest, new_rest) = (&old.get(head..), &new.get(head..));
    let (old_rest, new_rest) = (old_rest.unwrap_or_default(), new_rest.unwrap_or_default());
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(same).count();
    let old_middle = old_rest.get(..old_rest.len() - tail).unwrap_or_default();
    let new_middle = new_rest.get(..new_rest.len() - tail).unwrap_or_default();
    let kept = |line: &&'a str| Line::Kept(line);
    let before = old.iter().take(head).map(kept);
    let after = old.iter().skip(old.len() - tail).map(kept);
    before.chain(middle(old_middle, new_middle)).chain(after).collect()
}

/// The longest common subsequence, by the textbook's table.
fn middle<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    let removed = |line: &&'a str| Line::Removed(line);
    let added = |line: &&'a str| Line::Added(line);
    if old.len().saturating_mul(new.len()) > PAIRS_MAX {
        return old.iter().map(removed).chain(new.iter().map(added)).collect();
    }
    let width = new.len() + 1;
    // `longest[i * width + j]`: of what follows line i of the old and line j of the new.
    let mut longest = vec![0_u32; (old.len() + 1) * width];
    let at = |longest: &[u32], i: usize, j: usize| {
        longest.get(i * width + j).copied().unwrap_or_default()
    };
    for (i, one) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            let best = if one == other {
                at(&longest, i + 1, j + 1) + 1
            } else {
                at(&longest, i + 1, j).max(at(&longest, i, j + 1))
            };
            if let Some(cell) = longest.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    loop {
        match (old.get(i), new.get(j)) {
            (Some(one), Some(other)) if one == other => {
                lines.push(Line::Kept(one));
                (i, j) = (i + 1, j + 1);
            }
            (Some(one), other)
                if other.is_none() || at(&longest, i + 1, j) >= at(&longest, i, j + 1) =>
            {
                lines.push(Line::Removed(one));
                i += 1;
            }
            (_, Some(other)) => {
                lines.push(Line::Added(other));
                j += 1;
            }
            (_, None) => return lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_change_is_shown_with_what_stands_around_it() {
        let before = "a\nb\nc\nd\ne\nf\ng\n";
        let after = "a\nb\nc\nD\ne\nf\ng\nh\n";
        assert_eq!(diff(before, before), "");
        let expected = "@@ -2 +2 @@\n b\n c\n-d\n+D\n e\n f\n g\n+h\n";
        assert_eq!(diff(before, after), expected);
    }

    proptest! {
        /// Law: kept and removed lines are the old text, kept and added ones the new.
        #[test]
        fn both_texts_can_be_read_from_their_difference(
            old in prop::collection::vec("[a-c]", 0..20),
            new in prop::collection::vec("[a-c]", 0..20),
        ) {
            let old: Vec<_> = old.iter().map(String::as_str).collect();
            let new: Vec<_> = new.iter().map(String::as_str).collect();
            let lines = lines(&old, &new);
            let side = |added: bool| -> Vec<&str> {
                let own = |line: &Line<'_>| match *line {
                    Line::Kept(_) => true,
                    Line::Removed(_) => !added,
                    Line::Added(_) => added,
                };
                let kept = lines.iter().filter(|line| own(line));
                kept.map(|line| match *line {
                    Line::Kept(text) | Line::Removed(text) | Line::Added(text) => text,
                }).collect()
            };
            prop_assert_eq!(side(false), old);
            prop_assert_eq!(side(true), new);
        }
    }
}
