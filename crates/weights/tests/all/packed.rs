//! GPTQ, AWQ and FP8 layers: worked examples of the formats, and random layers against the plain
//! formula.

use qwill_weights::packed::{Awq, Fp8, Gptq, GptqOptions, GptqZeros, Part};
use qwill_weights::{DType, Layout, TensorInfo, quantize, unpack};

use crate::common::{Random, message};

/// A tensor with its bytes, for as long as a layer borrows it.
struct Owned {
    info: TensorInfo,
    bytes: Vec<u8>,
}

impl Owned {
    fn new(name: &str, dtype: DType, shape: &[usize], bytes: Vec<u8>) -> Self {
        let info = TensorInfo {
            name: name.to_owned(),
            shape: shape.to_vec(),
            dtype,
            source: 0,
            offset: 0,
            byte_len: bytes.len() as u64,
        };
        Self { info, bytes }
    }

    fn words(name: &str, shape: &[usize], words: &[u32]) -> Self {
        let bytes = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        Self::new(name, DType::I32, shape, bytes)
    }

    fn scales(dtype: DType, shape: &[usize], values: &[f32]) -> Self {
        Self::new("scales", dtype, shape, quantize(dtype, values).unwrap())
    }

    fn part(&self) -> Part<'_> {
        Part { info: &self.info, bytes: &self.bytes }
    }
}

const V1: GptqOptions = GptqOptions { bits: 4, group_size: Some(128), zeros: GptqZeros::MinusOne };

#[test]
fn gptq_words_are_packed_along_the_input_and_v1_stores_zero_minus_one() {
    let qweight = Owned::words("qweight", &[1, 8], &[0x7654_3210; 8]);
    let scales = Owned::scales(DType::F16, &[1, 8], &[0.5; 8]);
    for (stored, zeros) in [(0x7777_7777, GptqZeros::MinusOne), (0x8888_8888, GptqZeros::Plain)] {
        let qzeros = Owned::words("qzeros", &[1, 1], &[stored]);
        let options = GptqOptions { zeros, ..V1 };
        let layer = Gptq::new(qweight.part(), qzeros.part(), scales.part(), None, options).unwrap();
        assert_eq!((layer.n_in(), layer.n_out()), (8, 8));
        let expected = [-4.0, -3.5, -3.0, -2.5, -2.0, -1.5, -1.0, -0.5];
        assert_eq!(layer.rows(3..4).unwrap(), expected);
        assert_eq!(layer.rows(0..8).unwrap(), [expected; 8].concat());
    }

    // All ones wrap to zero, as in AutoGPTQ.
    let qzeros = Owned::words("qzeros", &[1, 1], &[0xFFFF_FFFF]);
    let layer = Gptq::new(qweight.part(), qzeros.part(), scales.part(), None, V1).unwrap();
    assert_eq!(layer.rows(0..1).unwrap(), [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]);
}

#[test]
fn gptq_of_eight_bits_has_four_values_in_a_word() {
    let qweight = Owned::words("qweight", &[1, 4], &[0xFF81_8000; 4]);
    let qzeros = Owned::words("qzeros", &[1, 1], &[0x7F7F_7F7F]);
    let scales = Owned::scales(DType::BF16, &[1, 4], &[1.0, 2.0, 3.0, 4.0]);
    let options = GptqOptions { bits: 8, group_size: None, ..V1 };
    let layer = Gptq::new(qweight.part(), qzeros.part(), scales.part(), None, options).unwrap();
    assert_eq!(layer.rows(1..2).unwrap(), [-256.0, 0.0, 2.0, 254.0]);
    assert_eq!(layer.layout(), Some(Layout::Q8));
}

#[test]
fn awq_words_are_packed_along_the_output_in_their_own_order() {
    // The columns 0..8 hold 0..8.
    let qweight = Owned::words("qweight", &[2, 1], &[0x7531_6420, 0]);
    let qzeros = Owned::words("qzeros", &[1, 1], &[0x7531_6420]);
    let scales = Owned::scales(DType::F16, &[1, 8], &[0.5; 8]);
    let layer = Awq::new(qweight.part(), qzeros.part(), scales.part(), Some(128)).unwrap();
    assert_eq!((layer.n_in(), layer.n_out()), (2, 8));
    for out in 0..8 {
        let expected = [0.0, -0.5 * out as f32];
        assert_eq!(layer.rows(out..out + 1).unwrap(), expected, "column {out}");
    }
}

#[test]
fn fp8_blocks_are_multiplied_and_short_at_the_edges() {
    let scale = Owned::scales(DType::BF16, &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let layer = Fp8::new([3, 5], scale.part(), [2, 2]).unwrap();
    // 0x38 is 1, 0xB8 is -1.
    let mut bytes = [0x38; 15];
    bytes[14] = 0xB8;
    let expected = [1.0, 1.0, 2.0, 2.0, 3.0, 1.0, 1.0, 2.0, 2.0, 3.0, 4.0, 4.0, 5.0, 5.0, -6.0];
    assert_eq!(layer.rows(0..3, &bytes).unwrap(), expected);
    assert_eq!(layer.rows(1..3, &bytes[5..]).unwrap(), expected[5..]);
}

/// A random GPTQ layer of 4 or 8 bits against the formula, element by element.
fn check_gptq(seed: u64, bits: u32, n_in: usize, n_out: usize, group: usize, kind: Kind) {
    let mut random = Random(seed);
    let per_word = (32 / bits) as usize;
    let levels = 1usize << bits;
    let n_groups = n_in.div_ceil(group);
    let groups: Vec<u32> = match kind {
        Kind::ActOrder => (0..n_in).map(|_| random.below(n_groups) as u32).collect(),
        Kind::Symmetric | Kind::Asymmetric => (0..n_in).map(|r| (r / group) as u32).collect(),
    };
    let q: Vec<u32> = (0..n_in * n_out).map(|_| random.below(levels) as u32).collect();
    let zero: Vec<u32> = (0..n_groups * n_out)
        .map(|_| match kind {
            Kind::Asymmetric => 1 + random.below(levels - 1) as u32,
            Kind::Symmetric | Kind::ActOrder => levels as u32 / 2,
        })
        .collect();
    let scale: Vec<f32> =
        (0..n_groups * n_out).map(|_| half::f16::from_f32(random.normal() * 0.01).to_f32()).collect();

    let pack = |rows: usize, columns: usize, value: &dyn Fn(usize, usize, usize) -> u32| {
        let mut words = vec![0u32; rows * columns];
        for (i, word) in words.iter_mut().enumerate() {
            for k in 0..per_word {
                *word |= value(i / columns, i % columns, k) << (bits * k as u32);
            }
        }
        Owned::words("packed", &[rows, columns], &words)
    };
    let qweight = pack(n_in / per_word, n_out, &|r, o, k| q[(r * per_word + k) * n_out + o]);
    let qzeros = pack(n_groups, n_out / per_word, &|g, o, k| zero[g * n_out + o * per_word + k] - 1);
    let scales = Owned::scales(DType::F16, &[n_groups, n_out], &scale);
    let g_idx = Owned::words("g_idx", &[n_in], &groups);
    let options = GptqOptions { bits, group_size: Some(group), ..V1 };
    let given = matches!(kind, Kind::ActOrder).then(|| g_idx.part());
    let layer = Gptq::new(qweight.part(), qzeros.part(), scales.part(), given, options).unwrap();

    let mut expected = Vec::new();
    for o in 0..n_out {
        for r in 0..n_in {
            let at = groups[r] as usize * n_out + o;
            expected.push(scale[at] * (q[r * n_out + o] as f32 - zero[at] as f32));
        }
    }
    let middle = 1..n_out - 1;
    let wanted = &expected[n_in..(n_out - 1) * n_in];
    assert_eq!(layer.rows(middle.clone()).unwrap(), wanted);

    let layout = match (kind, bits) {
        (Kind::Symmetric, 4) => Some(Layout::Q4),
        (Kind::Symmetric, 8) | (Kind::Asymmetric, 4) => Some(Layout::Q8),
        _ => None,
    };
    assert_eq!(layer.layout(), layout);
    let repacked = layer.repack(middle.clone()).unwrap();
    assert_eq!(repacked.is_some(), layout.is_some());
    if let Some(repacked) = repacked {
        let found = unpack(repacked.layout, &repacked.streams, middle.len(), n_in);
        assert!(found.iter().zip(wanted).all(|(a, b)| a == b));
        // Padding is weights of zero.
        let padded = unpack(repacked.layout, &repacked.streams, middle.len(), n_in.next_multiple_of(32));
        for row in padded.chunks_exact(n_in.next_multiple_of(32)) {
            assert!(row[n_in..].iter().all(|&v| v == 0.0));
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Symmetric,
    Asymmetric,
    ActOrder,
}

#[test]
fn gptq_layers_follow_the_formula() {
    for (seed, bits) in [(1, 4), (2, 8)] {
        check_gptq(seed, bits, 64, 16, 32, Kind::Symmetric);
        // The last group and the last block are short.
        check_gptq(seed, bits, 200, 24, 128, Kind::Symmetric);
        check_gptq(seed, bits, 128, 16, 64, Kind::Asymmetric);
        check_gptq(seed, bits, 128, 16, 32, Kind::ActOrder);
    }
}

#[test]
fn awq_layers_follow_the_formula() {
    const ORDER: [usize; 8] = [0, 2, 4, 6, 1, 3, 5, 7];
    let (n_in, n_out, group) = (160usize, 16, 64);
    let mut random = Random(3);
    let n_groups = n_in.div_ceil(group);
    let q: Vec<u32> = (0..n_in * n_out).map(|_| random.below(16) as u32).collect();
    let zero: Vec<u32> = (0..n_groups * n_out).map(|_| random.below(16) as u32).collect();
    let scale: Vec<f32> =
        (0..n_groups * n_out).map(|_| half::f16::from_f32(random.normal() * 0.01).to_f32()).collect();
    let pack = |name: &str, rows: usize, values: &[u32]| {
        let words: Vec<u32> =
            values.chunks_exact(8).map(|c| (0..8).fold(0, |word, k| word | c[ORDER[k]] << (4 * k))).collect();
        Owned::words(name, &[rows, n_out / 8], &words)
    };
    let qweight = pack("qweight", n_in, &q);
    let qzeros = pack("qzeros", n_groups, &zero);
    let scales = Owned::scales(DType::F16, &[n_groups, n_out], &scale);
    let layer = Awq::new(qweight.part(), qzeros.part(), scales.part(), Some(group)).unwrap();

    let mut expected = Vec::new();
    for o in 0..n_out {
        for r in 0..n_in {
            let at = r / group * n_out + o;
            expected.push(scale[at] * (q[r * n_out + o] as f32 - zero[at] as f32));
        }
    }
    assert_eq!(layer.rows(3..14).unwrap(), expected[3 * n_in..14 * n_in]);
    let repacked = layer.repack(0..n_out).unwrap().unwrap();
    assert_eq!(repacked.layout, Layout::Q8);
    assert_eq!(unpack(Layout::Q8, &repacked.streams, n_out, n_in), expected);
}

#[test]
fn tensors_that_do_not_fit_together_are_named() {
    let qweight = Owned::words("p.qweight", &[1, 8], &[0; 8]);
    let qzeros = Owned::words("p.qzeros", &[1, 1], &[0]);
    let scales = Owned::scales(DType::F16, &[1, 8], &[0.5; 8]);
    let gptq = |qweight: &Owned, qzeros: &Owned, scales: &Owned, g_idx: Option<&Owned>, options| {
        let g_idx = g_idx.map(Owned::part);
        message(Gptq::new(qweight.part(), qzeros.part(), scales.part(), g_idx, options))
    };
    assert_eq!(
        gptq(&qweight, &qzeros, &scales, None, GptqOptions { bits: 3, ..V1 }),
        "tensor \"p.qweight\": weights of 3 bits; 2, 4 and 8 are supported"
    );
    assert_eq!(
        gptq(&scales, &qzeros, &scales, None, V1),
        "tensor \"scales\": its type is F16, but I32 is needed"
    );
    assert_eq!(
        gptq(&qweight, &qweight, &scales, None, V1),
        "tensor \"p.qweight\": its shape is [1, 8], but [1, 1] is needed"
    );
    let narrow = Owned::scales(DType::F16, &[1, 4], &[0.5; 4]);
    assert_eq!(
        gptq(&qweight, &qzeros, &narrow, None, V1),
        "tensor \"scales\": its shape is [1, 4], but [1, 8] is needed"
    );
    let flat = Owned::words("p.qweight", &[8], &[0; 8]);
    assert_eq!(
        gptq(&flat, &qzeros, &scales, None, V1),
        "tensor \"p.qweight\": its shape is [8], but a matrix is needed"
    );
    let small = GptqOptions { group_size: Some(4), ..V1 };
    assert_eq!(
        gptq(&qweight, &qzeros, &scales, None, small),
        "tensor \"scales\": 1 groups, but 8 inputs in groups of 4 make 2"
    );
    let g_idx = Owned::words("p.g_idx", &[8], &[0, 0, 0, u32::MAX, 0, 0, 0, 0]);
    assert_eq!(
        gptq(&qweight, &qzeros, &scales, Some(&g_idx), V1),
        "tensor \"p.g_idx\": group -1, but there are 1"
    );
    let g_idx = Owned::words("p.g_idx", &[7], &[0; 7]);
    assert_eq!(
        gptq(&qweight, &qzeros, &scales, Some(&g_idx), V1),
        "tensor \"p.g_idx\": its shape is [7], but [8] is needed"
    );
    let mut cut = Owned::words("p.qweight", &[1, 8], &[0; 8]);
    cut.bytes.pop();
    assert_eq!(
        gptq(&cut, &qzeros, &scales, None, V1),
        "tensor \"p.qweight\": 31 bytes given, but its shape is [1, 8]"
    );
    for shape in [[1 << 40, 0], [0, 8]] {
        let empty = Owned::words("p.qweight", &shape, &[]);
        assert_eq!(
            gptq(&empty, &qzeros, &scales, None, V1),
            format!("tensor \"p.qweight\": its shape is {shape:?}, which is empty or too large")
        );
    }

    let layer = Gptq::new(qweight.part(), qzeros.part(), scales.part(), None, V1).unwrap();
    assert_eq!(message(layer.rows(4..9)), "rows of a packed layer: 9 given, a range within 8 needed");
    assert_eq!(
        message(Awq::new(qweight.part(), qzeros.part(), scales.part(), None)),
        "tensor \"p.qzeros\": its shape is [1, 1], but [1, 8] is needed"
    );
    assert_eq!(
        message(Fp8::new([3, 5], scales.part(), [2, 2])),
        "tensor \"scales\": its shape is [1, 8], but [2, 3] is needed"
    );
    assert_eq!(
        message(Fp8::new([3, 5], scales.part(), [0, 2])),
        "tensor \"scales\": blocks of [0, 2] hold nothing"
    );
    let layer = Fp8::new([1, 16], scales.part(), [1, 2]).unwrap();
    assert_eq!(
        message(layer.rows(0..1, &[0; 15])),
        "bytes of rows of a packed layer: 15 given, 1 rows of 16 needed"
    );
    assert!(layer.rows(1..2, &[0; 16]).is_err());
}
