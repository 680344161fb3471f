//! Which snapshots to keep of too many.

/// The sizes, given in order, that are to go so that `kept` are left. The newest stays,
/// for the next start; of the others, each time the one that stands closest behind its
/// predecessor goes, so that those left are spread evenly over the whole log, and no past
/// is far from one.
pub(super) fn superfluous(sizes: &[u64], kept: usize) -> Vec<u64> {
    let (mut left, mut gone) = (sizes.to_vec(), Vec::new());
    while left.len() > kept {
        gone.push(left.remove(least(&left, kept)));
    }
    gone
}

/// The place of the one whose absence makes the smallest gap.
fn least(sizes: &[u64], kept: usize) -> usize {
    if kept == 0 {
        return 0;
    }
    let before = |at: usize| at.checked_sub(1).and_then(|at| sizes.get(at)).copied().unwrap_or(0);
    let gap = |at: usize| sizes.get(at + 1).map(|after| after.saturating_sub(before(at)));
    (0..sizes.len()).filter_map(|at| Some((gap(at)?, at))).min().map_or(0, |(_, at)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_spread_over_the_log_and_holds_the_newest() {
        let mut left = Vec::new();
        for size in (1..=100).map(|count| count * 10) {
            left.push(size);
            let gone = superfluous(&left, 8);
            left.retain(|size| !gone.contains(size));
            assert!(left.len() <= 8 && left.last() == Some(&size));
        }
        let gaps = std::iter::once(&0).chain(&left).zip(&left).map(|(one, two)| two - one);
        assert!(gaps.max().unwrap() <= 250, "{left:?}");
    }

    #[test]
    fn few_are_left_alone_and_none_may_be_wanted() {
        assert_eq!(superfluous(&[1, 2, 3], 3), [0; 0]);
        assert_eq!(superfluous(&[1, 2, 3], 0), [1, 2, 3]);
        assert_eq!(superfluous(&[10, 20], 1), [10]);
        assert_eq!(superfluous(&[5], 1), [0; 0]);
    }
}
