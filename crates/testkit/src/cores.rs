//! Twins of large cases on every core.

use std::ops::Range;
use std::thread;

/// What `twin` makes of each of `n` rows, computed for ranges of them on all cores and put together in order.
pub fn on_all_cores<T: Send>(n: usize, twin: impl Fn(Range<usize>) -> Vec<T> + Sync) -> Vec<T> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let each = n.div_ceil(cores).max(1);
    if n <= each {
        return twin(0..n);
    }
    thread::scope(|scope| {
        let twin = &twin;
        let threads: Vec<_> =
            (0..n).step_by(each).map(|first| scope.spawn(move || twin(first..n.min(first + each)))).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::on_all_cores;

    #[test]
    fn every_row_is_there_once_and_in_order() {
        for n in [0, 1, 2, 3, 17, 1000] {
            assert_eq!(on_all_cores(n, |range| range.collect()), (0..n).collect::<Vec<_>>());
        }
    }
}
