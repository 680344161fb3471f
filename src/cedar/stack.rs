//! A stack large enough for Cedar's recursion.

use std::thread;

use super::{Fault, codes};

/// The stack on which everything is parsed, validated and compiled, in bytes.
///
/// An overflowing stack aborts the process; it cannot be caught. Text within
/// [`Limits`](super::Limits) fits into this, in an unoptimised build too: the tests try the
/// longest chains and the deepest nests that there can be.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Does some work on a thread of its own with a stack of 64 MiB and waits for it. Costs
/// about 50 µs; memory is taken as it is used.
///
/// # Errors
/// [`codes::INTERNAL`] if the thread cannot be started or the work panics: the caller
/// refuses the author's text and lives on.
pub fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Fault> {
    thread::scope(|scope| {
        let large = thread::Builder::new().name("cedar".to_owned()).stack_size(STACK_BYTES);
        let started = large
            .spawn_scoped(scope, work)
            .map_err(|error| internal(format!("no thread for Cedar's work: {error}")))?;
        started.join().map_err(|_| internal("Cedar failed on this text".to_owned()))
    })
}

/// Does the same work on each of some items, on so many threads with such stacks, and hands
/// back what came of it in the order of the items. Each thread takes a stretch of them.
///
/// # Errors
/// As [`on_large_stack`].
pub fn on_large_stacks<T: Send, R: Send>(
    threads: usize,
    items: Vec<T>,
    work: impl Fn(T) -> R + Sync,
) -> Result<Vec<R>, Fault> {
    let stretch = items.len().div_ceil(threads.max(1)).max(1);
    let (work, mut items) = (&work, items.into_iter());
    thread::scope(|scope| {
        let mut started = Vec::new();
        loop {
            let own: Vec<T> = items.by_ref().take(stretch).collect();
            if own.is_empty() {
                break;
            }
            let large = thread::Builder::new().name("cedar".to_owned()).stack_size(STACK_BYTES);
            let one = large
                .spawn_scoped(scope, move || own.into_iter().map(work).collect::<Vec<R>>())
                .map_err(|error| internal(format!("no thread for Cedar's work: {error}")))?;
            started.push(one);
        }
        let mut all = Vec::new();
        for one in started {
            all.extend(one.join().map_err(|_| internal("Cedar failed on this text".to_owned()))?);
        }
        Ok(all)
    })
}

fn internal(message: String) -> Fault {
    Fault::new(codes::INTERNAL, message)
        .with_help("this is a defect of Countersign or of Cedar: please report it with the text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_is_done_and_its_result_handed_back() {
        let words = ["a".to_owned(), "b".to_owned()];
        assert_eq!(on_large_stack(|| words.join(" ")), Ok("a b".to_owned()));
    }

    #[test]
    fn results_stand_in_the_order_of_the_items_however_many_threads_there_are() {
        let items: Vec<u32> = (0..10).collect();
        for threads in [0, 1, 3, 10, 64] {
            let doubled = on_large_stacks(threads, items.clone(), |it| it * 2).unwrap();
            assert!(doubled.into_iter().eq((0..10).map(|it| it * 2)), "{threads}");
        }
        assert_eq!(on_large_stacks(2, Vec::<u32>::new(), |it| it), Ok(Vec::new()));
        assert!(on_large_stacks(2, items, |it| assert_ne!(it, 9)).is_err());
    }

    #[test]
    fn a_panic_becomes_a_fault() {
        let fault = on_large_stack(|| panic!("on purpose")).map(|()| 0).unwrap_err();
        assert_eq!(fault.code, codes::INTERNAL);
    }
}
