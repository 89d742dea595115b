//! The order of pieces that come from files.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Part, Piece, SharedTensor};

/// What can be done as soon as all bytes before `end` have been read, counted over all rows in the order of the files.
pub(super) struct After<T> {
    pub(super) end: u64,
    pub(super) then: T,
}

/// The pieces in the order in which [`ReadAhead`](crate::ReadAhead) comes to an end with what they need.
pub(super) fn in_file_order<'c>(pieces: Vec<Piece<'c>>) -> Vec<After<Piece<'c>>> {
    // The first piece of some rows has the same tensors as all others.
    let firsts = pieces.iter().filter(|piece| piece.rows.start == 0);
    let mut tensors: Vec<_> = firsts.flat_map(|piece| &piece.parts).map(|part| &part.tensor).collect();
    tensors.sort_by_key(|shared| shared.tensor.file_place(&shared.rows));
    let (mut starts, mut end) = (HashMap::new(), 0);
    for shared in tensors {
        starts.insert(Arc::as_ptr(shared), end);
        end += shared.tensor.bytes_of(shared.rows.clone());
    }
    let end_of = |Part { tensor: shared, rows }: &Part<'c>| {
        let SharedTensor { tensor, rows: all_rows, .. } = &**shared;
        let needed = if tensor.is_read_whole() { all_rows.end } else { rows.end };
        starts[&Arc::as_ptr(shared)] + tensor.bytes_of(all_rows.start..needed)
    };
    let after =
        |piece: Piece<'c>| After { end: piece.parts.iter().map(end_of).max().unwrap_or(0), then: piece };
    let mut pieces: Vec<_> = pieces.into_iter().map(after).collect();
    pieces.sort_by_key(|piece| piece.end);
    pieces
}

#[cfg(test)]
mod tests {
    use pollster::block_on;
    use safetensors::Dtype;
    use safetensors::tensor::TensorView;

    use super::*;
    use crate::{Checkpoint, Layout, MemorySource, Pieces, Tensors};

    #[test]
    fn pieces_come_as_the_files_have_them() {
        let bytes = vec![0; 3 << 20];
        let mut n_rows = [1000, 2000, 2000, 10].into_iter();
        let views = ["a", "gate", "up", "z"].map(|name| {
            let n = n_rows.next().unwrap();
            (name, TensorView::new(Dtype::F32, vec![n, 300], &bytes[..n * 1200]).unwrap())
        });
        let file = safetensors::serialize(views, None).unwrap();
        let source: Arc<dyn crate::ByteSource> = Arc::new(MemorySource::new("model.safetensors", file));
        let checkpoint = block_on(Checkpoint::open_safetensors(vec![source], None)).unwrap();
        let tensors = Tensors::new(&checkpoint, None).unwrap();
        let get = |name| tensors.get(name).unwrap().unwrap();

        let mut pieces = Pieces::default();
        pieces.add(0, Layout::F32, vec![(get("z"), 3..10)]);
        pieces.add(1, Layout::F32, vec![(get("up"), 0..1900), (get("gate"), 100..2000)]);
        pieces.add(2, Layout::F32, vec![(get("a"), 500..1000)]);
        pieces.add(3, Layout::F32, vec![(get("a"), 0..500)]);
        let found: Vec<_> = in_file_order(pieces.pieces)
            .into_iter()
            .map(|After { end, then }| (then.target, then.rows, end / 1200))
            .collect();
        // 500 rows each of `a`, 1900 of the gate, and then those of `up` that the pieces end with.
        let room = (2 << 20) / (2 * 320 * 4) / 128 * 128;
        let pair = (0..1900).step_by(room).map(|row| {
            let end = 1900.min(row + room);
            (1, row..end, 2900 + end as u64)
        });
        let expected = [(3, 0..500, 500), (2, 0..500, 1000)].into_iter().chain(pair).chain([(0, 0..7, 4807)]);
        assert_eq!(found, expected.collect::<Vec<_>>());
        assert!(found.len() > 4);
    }
}
