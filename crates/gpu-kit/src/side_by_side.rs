//! Work that mostly waits for a compiler or a device, done by several threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// Threads for work that takes some of the machine's cores for itself.
pub(crate) fn threads() -> usize {
    (thread::available_parallelism().map_or(1, usize::from) / 4).clamp(1, 4)
}

/// Does `work` for the items in their order, until `is_late`, and hands `each` the results as they come.
pub(crate) fn side_by_side<T: Sync, R: Send>(
    threads: usize,
    items: &[T],
    is_late: impl Fn() -> bool + Sync,
    work: impl Fn(&T) -> R + Sync,
    mut each: impl FnMut(R),
) {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, next, is_late, work) = (sender.clone(), &next, &is_late, &work);
            scope.spawn(move || {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // nobody listens any more when `each` has panicked
                    if is_late() || sender.send(work(item)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        receiver.iter().for_each(&mut each);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_done_once_or_nothing_after_the_end() {
        for threads in [1, 3] {
            let mut found = Vec::new();
            side_by_side(threads, &[1, 2, 3, 4], || false, |n| n * 10, |n| found.push(n));
            found.sort_unstable();
            assert_eq!(found, [10, 20, 30, 40]);
        }
        side_by_side(1, &[1], || true, |_| panic!("it is late"), |()| ());
    }
}
