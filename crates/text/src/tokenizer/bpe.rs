//! Byte-pair merging of one piece of text.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

/// Longer pieces use a heap, which is slower for the words of ordinary text and keeps a long run
/// of one letter from taking quadratic time.
const SCAN_LIMIT: usize = 48;

/// What a pair of neighbours becomes, and how early.
#[derive(Clone, Copy)]
pub(super) struct Merge {
    /// Lower merges first.
    pub(super) rank: u32,
    /// Token after the merge.
    pub(super) id: u32,
}

/// The merge table.
pub(super) struct Bpe {
    /// Token of every single byte.
    byte_ids: Box<[u32; 256]>,
    merges: FxHashMap<(u32, u32), Merge>,
}

impl Bpe {
    pub(super) fn new(byte_ids: Box<[u32; 256]>, merges: FxHashMap<(u32, u32), Merge>) -> Self {
        Self { byte_ids, merges }
    }

    fn merge(&self, left: u32, right: u32) -> Option<Merge> {
        self.merges.get(&(left, right)).copied()
    }

    /// Appends the tokens of `piece` to `out`.
    pub(super) fn encode(&self, piece: &[u8], out: &mut Vec<u32>) {
        let start = out.len();
        out.extend(piece.iter().map(|&b| self.byte_ids[usize::from(b)]));
        if piece.len() <= SCAN_LIMIT {
            self.merge_by_scanning(out, start);
        } else {
            self.merge_by_heap(out, start);
        }
    }

    /// Repeats the best merge of `ids[start..]` until none is left, looking at every pair each time.
    fn merge_by_scanning(&self, ids: &mut Vec<u32>, start: usize) {
        loop {
            let mut best: Option<(usize, Merge)> = None;
            for at in start..ids.len().saturating_sub(1) {
                if let Some(merge) = self.merge(ids[at], ids[at + 1])
                    && best.is_none_or(|(_, b)| merge.rank < b.rank)
                {
                    best = Some((at, merge));
                }
            }
            let Some((at, merge)) = best else { return };
            ids[at] = merge.id;
            ids.remove(at + 1);
        }
    }

    /// The same result in O(n log n): candidates wait in a heap ordered by rank and position, and
    /// are dropped when one of their halves has changed since.
    fn merge_by_heap(&self, ids: &mut Vec<u32>, start: usize) {
        const NONE: usize = usize::MAX;
        #[derive(Clone, Copy)]
        struct Node {
            id: u32,
            /// False once the left neighbour has swallowed the node.
            alive: bool,
            previous: usize,
            next: usize,
        }
        let count = ids.len() - start;
        let mut nodes: Vec<Node> = ids[start..]
            .iter()
            .enumerate()
            .map(|(at, &id)| Node {
                id,
                alive: true,
                previous: at.wrapping_sub(1),
                next: if at + 1 < count { at + 1 } else { NONE },
            })
            .collect();
        let mut waiting = BinaryHeap::new();
        let propose = |nodes: &[Node], at: usize, waiting: &mut BinaryHeap<_>| {
            let next = nodes[at].next;
            if next != NONE
                && let Some(merge) = self.merge(nodes[at].id, nodes[next].id)
            {
                waiting.push(Reverse((merge.rank, at, nodes[at].id, nodes[next].id, merge.id)));
            }
        };
        for at in 0..count {
            propose(&nodes, at, &mut waiting);
        }
        while let Some(Reverse((_, at, left, right, id))) = waiting.pop() {
            let next = nodes[at].next;
            let stale = !nodes[at].alive || nodes[at].id != left || next == NONE || nodes[next].id != right;
            if stale {
                continue;
            }
            let after = nodes[next].next;
            nodes[next].alive = false;
            nodes[at].id = id;
            nodes[at].next = after;
            if after != NONE {
                nodes[after].previous = at;
            }
            propose(&nodes, at, &mut waiting);
            let previous = nodes[at].previous;
            if previous != NONE {
                propose(&nodes, previous, &mut waiting);
            }
        }
        ids.truncate(start);
        let mut at = 0;
        while at != NONE {
            ids.push(nodes[at].id);
            at = nodes[at].next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes keep their number; merges are made up so that the two ways have much to disagree on.
    fn table() -> Bpe {
        let mut byte_ids = Box::new([0; 256]);
        for (byte, id) in byte_ids.iter_mut().enumerate() {
            *id = byte as u32;
        }
        let mut merges = FxHashMap::default();
        let pairs = [(97, 97), (97, 98), (256, 256), (256, 97), (257, 257), (98, 256), (258, 258), (260, 97)];
        for (rank, pair) in pairs.into_iter().enumerate() {
            merges.insert(pair, Merge { rank: rank as u32, id: 256 + rank as u32 });
        }
        Bpe::new(byte_ids, merges)
    }

    #[test]
    fn scanning_and_heap_agree() {
        let bpe = table();
        let mut state = 7u32;
        for length in 1..200 {
            let piece: Vec<u32> = (0..length)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    97 + (state >> 29) % 2
                })
                .collect();
            let (mut by_scan, mut by_heap) = (piece.clone(), piece);
            bpe.merge_by_scanning(&mut by_scan, 0);
            bpe.merge_by_heap(&mut by_heap, 0);
            assert_eq!(by_scan, by_heap);
        }
    }

    #[test]
    fn the_leftmost_of_equal_merges_goes_first() {
        let mut ids = Vec::new();
        table().encode(b"aaa", &mut ids);
        assert_eq!(ids, [259]);
        ids.clear();
        table().encode(b"baaab", &mut ids);
        assert_eq!(ids, [261, 257]);
    }
}
