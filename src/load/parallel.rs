//! Work on many items, on all cores.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::background;

/// Maps each item with `work`, on as many threads as there are cores. Returns `None` as soon as
/// `work` does. The threads inherit the priority and the yield budget of the caller.
pub(super) fn map_on_all_cores<T: Sync, U: Send>(items: &[T], work: impl Fn(&T) -> Option<U> + Sync) -> Option<Vec<U>> {
    // The number of cores takes a dozen system calls, and a change has one item.
    let cores = || thread::available_parallelism().map_or(1, NonZero::get).min(items.len());
    let cores = if items.len() < 2 { 1 } else { cores() };
    if cores < 2 {
        return items.iter().map(work).collect();
    }
    let (next, made) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(items.len())));
    let budget = background::yield_budget();
    let worker = || {
        let mut mine = Vec::new();
        while let Some((at, item)) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            items.get(at).map(|item| (at, item))
        } {
            let Some(made) = work(item) else {
                // The result is `None`: the other items are not needed.
                next.store(items.len(), Ordering::Relaxed);
                break;
            };
            mine.push((at, made));
            background::yield_point();
        }
        made.lock().unwrap_or_else(PoisonError::into_inner).append(&mut mine);
    };
    let helper = || match budget {
        Some(budget) => background::with_yield_budget(budget, worker),
        None => worker(),
    };
    thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(helper))));
    let mut made = made.into_inner().unwrap_or_else(PoisonError::into_inner);
    made.sort_unstable_by_key(|(at, _)| *at);
    (made.len() == items.len()).then(|| made.into_iter().map(|(_, made)| made).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_inherit_the_yield_budget() {
        let seen = || map_on_all_cores(&[(); 8], |()| Some(background::yield_budget()));
        let budget = std::time::Duration::from_millis(7);
        assert_eq!(background::with_yield_budget(budget, seen), Some(vec![Some(budget); 8]));
        assert_eq!(seen(), Some(vec![None; 8]));
    }

    #[test]
    fn work_is_spread_and_comes_back_in_order() {
        let items: Vec<usize> = (0..1000).collect();
        assert_eq!(map_on_all_cores(&items, |item| Some(item * 2)), Some((0..1000).map(|item| item * 2).collect()));
        assert_eq!(map_on_all_cores(&items, |item| (*item != 700).then_some(())), None);
        assert_eq!(map_on_all_cores(&[] as &[usize], |item| Some(*item)), Some(Vec::new()));
    }
}
