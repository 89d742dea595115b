//! Rows of many tensors in pieces: the same as in one go, each once, however many threads fill them.

use std::collections::HashMap;
use std::sync::Arc;

use half::f16;
use pollster::block_on;
use qwill_weights::{Checkpoint, DType, Error, Filled, Layout, Pieces, Tensor, Tensors};
use serde_json::{Value, json};

use crate::common::{Part, Random, Watched, message, open_safetensors, safetensors_with, streams};

const N_IN: usize = 1024;
/// Neither whole blocks of rows nor a whole number of pieces, and more than one piece.
const N_OUT: usize = 4104;

/// An AWQ layer, two matrices that belong together, and a vector.
fn tensors() -> Vec<Part> {
    let mut random = Random(7);
    let mut words = |n: usize| (0..n).map(|_| random.next() as u32).collect::<Vec<_>>();
    let half = |n: usize| f16::from_f32(n as f32 / 64.0).to_le_bytes();
    vec![
        Part::words("a.qweight", &[N_IN, N_OUT / 8], &words(N_IN * N_OUT / 8)),
        Part::words("a.qzeros", &[N_IN / 128, N_OUT / 8], &words(N_IN / 128 * N_OUT / 8)),
        Part::new(
            "a.scales",
            DType::F16,
            &[N_IN / 128, N_OUT],
            (0..N_IN / 128 * N_OUT).flat_map(half).collect(),
        ),
        Part::new("gate", DType::F16, &[2001, 600], (0..2001 * 600).flat_map(|i| half(i % 1000)).collect()),
        Part::new("up", DType::F16, &[2001, 600], (0..2001 * 600).flat_map(|i| half(i % 777)).collect()),
        Part::floats("norm", DType::F32, &[33], &[0.5; 33]),
    ]
}

fn config() -> Value {
    json!({ "quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": true, "version": "gemm" })
}

fn get<'c>(checkpoint: &'c Checkpoint, name: &str) -> Tensor<'c> {
    Tensors::new(checkpoint, Some(&config())).unwrap().get(name).unwrap().expect("it is there")
}

/// What a loader of these tensors asks for.
fn pieces(checkpoint: &Checkpoint) -> Pieces<'_> {
    let [layer, gate, up, norm] = ["a.weight", "gate", "up", "norm"].map(|name| get(checkpoint, name));
    let mut pieces = Pieces::default();
    pieces.add(3, layer.layout, vec![(layer.clone(), 0..N_OUT)]);
    pieces.add(5, gate.layout, vec![(gate, 3..2001), (up, 0..1998)]);
    pieces.add(4, Layout::F32, vec![(norm, 0..1)]);
    pieces.add(9, Layout::F32, vec![(layer, 17..18)]);
    pieces
}

#[test]
fn every_row_comes_once_and_as_it_is() {
    let checkpoint = open_safetensors(safetensors_with(&tensors())).unwrap();
    let mut found: HashMap<usize, Vec<Filled>> = HashMap::new();
    block_on(pieces(&checkpoint).fill(async |filled| {
        found.entry(filled.target).or_default().push(std::mem::take(filled));
        Ok::<_, Error>(())
    }))
    .unwrap();
    for (target, parts) in [
        (3, vec![("a.weight", 0..N_OUT)]),
        (5, vec![("gate", 3..2001), ("up", 0..1998)]),
        (4, vec![("norm", 0..1)]),
        (9, vec![("a.weight", 17..18)]),
    ] {
        let mut found = found.remove(&target).expect("it was filled");
        found.sort_by_key(|filled| filled.rows.start);
        let mut n_rows = 0;
        for filled in &found {
            assert_eq!((filled.rows.start, filled.rows.start % 16), (n_rows, 0), "{target}");
            n_rows = filled.rows.end;
            for (part, (name, rows)) in filled.streams.iter().zip(&parts) {
                let tensor = get(&checkpoint, name);
                let reader = block_on(tensor.open()).unwrap();
                let rows = rows.start + filled.rows.start..rows.start + filled.rows.end;
                let layout = if target == 9 { Layout::F32 } else { tensor.layout };
                assert!(*part == streams(&reader, rows.clone(), layout).unwrap(), "{name} {rows:?}");
            }
        }
        assert_eq!(n_rows, parts[0].1.len());
        let bytes: u64 = parts.iter().map(|(name, rows)| get(&checkpoint, name).bytes_of(rows.clone())).sum();
        assert_eq!(found.iter().map(|filled| filled.bytes).sum::<u64>(), bytes, "{target}");
        assert_eq!(found.len() > 1, target == 3 || target == 5, "{target}: {} pieces", found.len());
    }
    assert!(found.is_empty());
}

#[test]
fn a_layer_that_is_read_whole_is_read_once() {
    let (watched, reads) = Watched::new("model.safetensors", safetensors_with(&tensors()));
    let checkpoint = block_on(Checkpoint::open_safetensors(vec![Arc::new(watched)], None)).unwrap();
    reads.lock().unwrap().clear();
    let layer = get(&checkpoint, "a.weight");
    let mut pieces = Pieces::default();
    pieces.add(0, layer.layout, vec![(layer, 0..N_OUT)]);
    let mut n_pieces = 0;
    block_on(pieces.fill(async |_| {
        n_pieces += 1;
        Ok::<_, Error>(())
    }))
    .unwrap();
    assert!(n_pieces > 1);
    assert_eq!(reads.lock().unwrap().len(), 3, "its words, its zero points and its scales");
}

#[test]
fn what_is_wrong_with_a_tensor_is_said_and_ends_it() {
    let mut parts = tensors();
    parts[2].bytes[..2].copy_from_slice(&f16::NAN.to_le_bytes());
    let checkpoint = open_safetensors(safetensors_with(&parts)).unwrap();
    let result = block_on(pieces(&checkpoint).fill(async |filled| {
        assert!(![3, 9].contains(&filled.target));
        Ok(())
    }));
    assert_eq!(message(result), "tensor \"a.scales\": scale 0 is NaN, but scales must be finite");
}

#[test]
fn whoever_places_may_end_it() {
    let checkpoint = open_safetensors(safetensors_with(&tensors())).unwrap();
    let mut n_placed = 0;
    let result = block_on(pieces(&checkpoint).fill(async |_| {
        n_placed += 1;
        let reason = "enough".to_owned();
        if n_placed == 2 { Err(Error::Source { file: "test".to_owned(), reason }) } else { Ok(()) }
    }));
    assert_eq!((message(result).as_str(), n_placed), ("test: enough", 2));
}

#[test]
fn nothing_is_no_work() {
    let checkpoint = open_safetensors(safetensors_with(&tensors())).unwrap();
    let mut pieces = Pieces::default();
    pieces.add(0, Layout::F32, Vec::new());
    pieces.add(1, Layout::F32, vec![(get(&checkpoint, "norm"), 0..0)]);
    block_on(pieces.fill::<Error>(async |_| unreachable!("there are no rows"))).unwrap();
}
