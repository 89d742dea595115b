//! GPTQ, AWQ and FP8 layers: worked examples of the formats, random layers against the plain
//! formula, checkpoints of the reference implementation, and everything that does not fit.

use std::sync::Arc;

use half::{bf16, f16};
use pollster::block_on;
use qwill_weights::{Checkpoint, DType, Error, FileSource, Group, Layout, Tensors, dequantize, unpack};
use serde_json::{Value, json};

use crate::common::{Part, Random, message, open_safetensors, safetensors_with, streams};

fn gptq(bits: u32, group_size: i64) -> Value {
    json!({"quantization_config": {"quant_method": "gptq", "bits": bits, "group_size": group_size}})
}

fn gptq_with(mut config: Value, key: &str, value: Value) -> Value {
    config["quantization_config"][key] = value;
    config
}

fn awq(group_size: i64) -> Value {
    json!({"quantization_config":
        {"quant_method": "awq", "bits": 4, "group_size": group_size, "version": "GEMM", "zero_point": true}})
}

fn fp8(block: [usize; 2]) -> Value {
    json!({"quantization_config": {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": block}})
}

/// Layout, all rows as values, and the same rows as they unpack from their streams.
struct Found {
    shape: Vec<usize>,
    layout: Layout,
    format: String,
    values: Vec<f32>,
}

/// Reads the tensor "p.weight" in all the ways there are, which must agree to the bit.
fn read(parts: &[Part], config: &Value) -> Result<Found, Error> {
    let checkpoint = open_safetensors(safetensors_with(parts)).unwrap();
    read_tensor(&checkpoint, config, "p.weight")
}

fn read_tensor(checkpoint: &Checkpoint, config: &Value, name: &str) -> Result<Found, Error> {
    let tensors = Tensors::new(checkpoint, config.get("quantization_config"))?;
    let tensor = tensors.get(name)?.expect("the tensor is there");
    let (n_rows, k, layout) = (tensor.n_rows(), tensor.row_len(), tensor.layout);
    let reader = block_on(tensor.open())?;
    let values = block_on(reader.values(0..n_rows))?;
    assert_eq!(values.len(), n_rows * k);

    let padded = k.next_multiple_of(32);
    // All rows, and a part that starts and ends anywhere.
    for rows in [0..n_rows, n_rows / 3..n_rows - n_rows / 4] {
        for layout in [layout, Layout::F32] {
            let streams = streams(&reader, rows.clone(), layout)?;
            for (i, stream) in streams.iter().enumerate() {
                assert_eq!(stream.len(), rows.len() * layout.stream_row_words(i, k));
            }
            let found = unpack(layout, &streams, rows.len(), k);
            let wanted = &values[rows.start * k..rows.end * k];
            assert!(found.iter().zip(wanted).all(|(a, b)| a.to_bits() == b.to_bits()), "{layout:?}");
            // Padding is weights of zero. Rows of `padded` elements have the same words.
            if streams
                .iter()
                .enumerate()
                .all(|(i, s)| s.len() == rows.len() * layout.stream_row_words(i, padded))
            {
                let found = unpack(layout, &streams, rows.len(), padded);
                assert!(found.chunks_exact(padded).all(|row| row[k..].iter().all(|&v| v == 0.0)));
            }
        }
    }
    let parts: u64 = (0..n_rows).map(|row| tensor.bytes_of(row..row + 1)).sum();
    assert_eq!(parts, tensor.byte_len);
    let (shape, format) = (tensor.shape.clone(), tensor.format());
    Ok(Found { shape, layout, format, values })
}

#[test]
fn gptq_words_are_packed_along_the_input_and_v1_stores_zero_minus_one() {
    let layer = |qzeros: u32| {
        [
            Part::words("p.qweight", &[1, 8], &[0x7654_3210; 8]),
            Part::words("p.qzeros", &[1, 1], &[qzeros]),
            Part::floats("p.scales", DType::F16, &[1, 8], &[0.5; 8]),
        ]
    };
    let expected = [-4.0, -3.5, -3.0, -2.5, -2.0, -1.5, -1.0, -0.5].repeat(8);
    let v1 = gptq(4, 128);
    let v2 = gptq_with(gptq(4, 128), "checkpoint_format", json!("gptq_v2"));
    for (qzeros, config) in [(0x7777_7777, &v1), (0x8888_8888, &v2)] {
        let found = read(&layer(qzeros), config).unwrap();
        assert_eq!((found.shape, found.layout), (vec![8, 8], Layout::Z4(Group::Of128)));
        assert_eq!(found.values, expected);
    }

    // All ones wrap to zero, as in AutoGPTQ.
    let found = read(&layer(0xFFFF_FFFF), &v1).unwrap();
    assert_eq!(found.values, [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5].repeat(8));
}

#[test]
fn gptq_of_eight_bits_has_four_values_in_a_word() {
    let parts = [
        Part::words("p.qweight", &[1, 4], &[0xFF81_8000; 4]),
        Part::words("p.qzeros", &[1, 1], &[0x7F7F_7F7F]),
        Part::floats("p.scales", DType::BF16, &[1, 4], &[1.0, 2.0, 3.0, 4.0]),
    ];
    let found = read(&parts, &gptq(8, -1)).unwrap();
    assert_eq!(found.layout, Layout::Z8(Group::Of128));
    assert_eq!(found.values[4..8], [-256.0, 0.0, 2.0, 254.0]);
}

#[test]
fn awq_words_are_packed_along_the_output_in_their_own_order() {
    // The columns 0..8 hold 0..8.
    let parts = [
        Part::words("p.qweight", &[2, 1], &[0x7531_6420, 0]),
        Part::words("p.qzeros", &[1, 1], &[0x7531_6420]),
        Part::floats("p.scales", DType::F16, &[1, 8], &[0.5; 8]),
    ];
    let found = read(&parts, &awq(128)).unwrap();
    assert_eq!((found.shape, found.layout), (vec![8, 2], Layout::Z4(Group::Of128)));
    let expected: Vec<f32> = (0..8).flat_map(|out| [0.0, -0.5 * out as f32]).collect();
    assert_eq!(found.values, expected);
}

#[test]
fn fp8_blocks_are_multiplied_and_short_at_the_edges() {
    // 0x38 is 1, 0xB8 is -1.
    let mut bytes = vec![0x38; 15];
    bytes[14] = 0xB8;
    let parts = [
        Part::new("p.weight", DType::F8E4M3, &[3, 5], bytes),
        Part::floats("p.weight_scale_inv", DType::BF16, &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
    ];
    let found = read(&parts, &fp8([2, 2])).unwrap();
    assert_eq!(found.layout, Layout::F32);
    let expected = [1.0, 1.0, 2.0, 2.0, 3.0, 1.0, 1.0, 2.0, 2.0, 3.0, 4.0, 4.0, 5.0, 5.0, -6.0];
    assert_eq!(found.values, expected);
}

/// All floats but the NaNs, in an order without pattern.
fn e4m3_bytes(random: &mut Random, n: usize) -> Vec<u8> {
    (0..n).map(|_| (random.below(0x7F) | random.below(2) << 7) as u8).collect()
}

#[test]
fn fp8_layers_follow_the_formula() {
    let mut random = Random(4);
    // shape, blocks, layout
    let cases: [(&[usize], [usize; 2], Layout); 6] = [
        (&[300, 260], [128, 128], Layout::F8),
        (&[5, 40], [128, 128], Layout::F8),
        (&[7, 600], [2, 256], Layout::F8),
        (&[7, 260], [2, 64], Layout::F32),
        (&[9, 100], [4, 100], Layout::F8),
        // experts, each with blocks of its own
        (&[3, 130, 140], [128, 128], Layout::F8),
    ];
    for (shape, block, layout) in cases {
        let [outer @ .., n_out, n_in] = shape else { unreachable!() };
        let experts: usize = outer.iter().product();
        let grid = [n_out.div_ceil(block[0]), n_in.div_ceil(block[1])];
        let bytes = e4m3_bytes(&mut random, experts * n_out * n_in);
        let scales: Vec<f32> = (0..experts * grid[0] * grid[1]).map(|_| random.normal()).collect();
        let mut values = vec![0.0; bytes.len()];
        dequantize(DType::F8E4M3, &bytes, &mut values).unwrap();
        for (i, value) in values.iter_mut().enumerate() {
            let (expert, o, c) = (i / n_in / n_out, i / n_in % n_out, i % n_in);
            *value *= scales[(expert * grid[0] + o / block[0]) * grid[1] + c / block[1]];
        }
        let parts = [
            Part::new("p.weight", DType::F8E4M3, shape, bytes),
            Part::floats("p.weight_scale_inv", DType::F32, &[outer, &grid].concat(), &scales),
        ];
        let found = read(&parts, &fp8(block)).unwrap();
        assert_eq!(found.layout, layout, "{shape:?} {block:?}");
        assert_eq!(found.values, values, "{shape:?} {block:?}");
    }
}

#[test]
fn fp8_may_have_one_scale_for_all() {
    let mut random = Random(5);
    let bytes = e4m3_bytes(&mut random, 3 * 300);
    let mut values = vec![0.0; bytes.len()];
    dequantize(DType::F8E4M3, &bytes, &mut values).unwrap();
    let values: Vec<f32> = values.iter().map(|v| v * 0.3).collect();
    let none = json!({"quantization_config": {"quant_method": "fp8"}});
    for (name, shape) in
        [("p.weight_scale", &[][..]), ("p.weight_scale_inv", &[1]), ("p.weight_scale_inv", &[1, 1])]
    {
        let parts = [
            Part::new("p.weight", DType::F8E4M3, &[3, 300], bytes.clone()),
            Part::floats(name, DType::F32, shape, &[0.3]),
        ];
        let found = read(&parts, &none).unwrap();
        assert_eq!((found.layout, &found.values), (Layout::F8, &values));
    }
}

/// What a random layer of GPTQ or AWQ is like.
#[derive(Clone, Copy, Debug)]
struct Case {
    bits: u32,
    n_in: usize,
    n_out: usize,
    /// -1 for all inputs.
    group_size: i64,
    is_awq: bool,
    /// Whether zero points differ from the middle.
    has_zeros: bool,
    /// Whether groups are out of order.
    desc_act: bool,
    scales: DType,
    layout: Layout,
}

fn check_grouped(seed: u64, case: Case) {
    const AWQ_ORDER: [usize; 8] = [0, 2, 4, 6, 1, 3, 5, 7];
    let Case { bits, n_in, n_out, .. } = case;
    let mut random = Random(seed);
    let per_word = (32 / bits) as usize;
    let levels = 1usize << bits;
    let group = usize::try_from(case.group_size).unwrap_or(n_in);
    let n_groups = n_in.div_ceil(group);
    let groups: Vec<u32> =
        (0..n_in).map(|r| if case.desc_act { random.below(n_groups) } else { r / group } as u32).collect();
    let q: Vec<u32> = (0..n_in * n_out).map(|_| random.below(levels) as u32).collect();
    let zero: Vec<u32> = (0..n_groups * n_out)
        .map(|_| if case.has_zeros { random.below(levels) } else { levels / 2 } as u32)
        .collect();
    let scale: Vec<f32> = (0..n_groups * n_out)
        .map(|_| match (random.normal() * 0.01, case.scales) {
            (s, DType::F16) => f16::from_f32(s).to_f32(),
            (s, DType::BF16) => bf16::from_f32(s).to_f32(),
            (s, _) => s,
        })
        .collect();

    let pack = |name: &str, rows: usize, columns: usize, value: &dyn Fn(usize, usize, usize) -> u32| {
        let words: Vec<u32> = (0..rows * columns)
            .map(|i| {
                let value = |k| value(i / columns, i % columns, k);
                (0..per_word).fold(0, |word, k| word | value(k) << (bits * k as u32))
            })
            .collect();
        Part::words(name, &[rows, columns], &words)
    };
    let mut parts = if case.is_awq {
        vec![
            pack("p.qweight", n_in, n_out / 8, &|r, c, k| q[r * n_out + 8 * c + AWQ_ORDER[k]]),
            pack("p.qzeros", n_groups, n_out / 8, &|g, c, k| zero[g * n_out + 8 * c + AWQ_ORDER[k]]),
        ]
    } else {
        let mask = levels as u32 - 1;
        vec![
            pack("p.qweight", n_in / per_word, n_out, &|r, o, k| q[(r * per_word + k) * n_out + o]),
            pack("p.qzeros", n_groups, n_out / per_word, &|g, c, k| {
                zero[g * n_out + c * per_word + k].wrapping_sub(1) & mask
            }),
            Part::words("p.g_idx", &[n_in], &groups),
        ]
    };
    parts.push(Part::floats("p.scales", case.scales, &[n_groups, n_out], &scale));
    let config = match case.is_awq {
        true => awq(case.group_size),
        false => gptq_with(gptq(bits, case.group_size), "desc_act", case.desc_act.into()),
    };
    let found = read(&parts, &config).unwrap();
    assert_eq!((found.shape, found.layout), (vec![n_out, n_in], case.layout), "{case:?}");
    for o in 0..n_out {
        for r in 0..n_in {
            let at = groups[r] as usize * n_out + o;
            let wanted = scale[at] * (q[r * n_out + o] as f32 - zero[at] as f32);
            assert_eq!(found.values[o * n_in + r], wanted, "{case:?}: row {o}, column {r}");
        }
    }
}

#[test]
fn gptq_layers_follow_the_formula() {
    for bits in [4, 8] {
        let layout = if bits == 4 { Layout::Z4 } else { Layout::Z8 };
        let case = Case {
            bits,
            n_in: 128,
            n_out: 16,
            group_size: 32,
            is_awq: false,
            has_zeros: false,
            desc_act: false,
            scales: DType::F16,
            layout: layout(Group::Of32),
        };
        check_grouped(1, case);
        // The last group and the last block are short.
        check_grouped(2, Case { n_in: 200, group_size: 128, layout: layout(Group::Of128), ..case });
        check_grouped(3, Case { has_zeros: true, group_size: 64, layout: layout(Group::Of64), ..case });
        check_grouped(4, Case { has_zeros: true, n_in: 264, n_out: 40, ..case });
        let of_256 = Case { n_in: 520, group_size: 256, layout: layout(Group::Of128), ..case };
        check_grouped(5, Case { scales: DType::BF16, ..of_256 });
        check_grouped(6, Case { n_in: 296, group_size: -1, layout: layout(Group::Of128), ..case });
        // Narrower than a group, as the experts of small models.
        check_grouped(7, Case { n_in: 64, group_size: 128, layout: layout(Group::Of128), ..case });
        // No layout holds these.
        check_grouped(8, Case { desc_act: true, has_zeros: true, layout: Layout::F32, ..case });
        check_grouped(9, Case { scales: DType::F32, layout: Layout::F32, ..case });
        check_grouped(10, Case { group_size: 24, layout: Layout::F32, ..case });
        // One group is in order, whatever desc_act says.
        let one = Case { n_in: 40, group_size: -1, layout: layout(Group::Of128), ..case };
        check_grouped(11, Case { desc_act: true, ..one });
    }
}

#[test]
fn awq_layers_follow_the_formula() {
    let case = Case {
        bits: 4,
        n_in: 160,
        n_out: 24,
        group_size: 64,
        is_awq: true,
        has_zeros: true,
        desc_act: false,
        scales: DType::F16,
        layout: Layout::Z4(Group::Of64),
    };
    check_grouped(1, case);
    check_grouped(2, Case { n_in: 301, group_size: 128, layout: Layout::Z4(Group::Of128), ..case });
    check_grouped(3, Case { n_in: 70, group_size: -1, layout: Layout::Z4(Group::Of128), ..case });
    check_grouped(4, Case { scales: DType::BF16, group_size: 32, layout: Layout::Z4(Group::Of32), ..case });
}

#[test]
fn checkpoints_have_the_weights_of_the_reference() {
    let cases = [
        ("q-qwen2-awq", Layout::Z4(Group::Of128), "AWQ of 4 bits, 128 inputs a scale"),
        ("q-qwen2-gptq4-g128", Layout::Z4(Group::Of128), "GPTQ of 4 bits, 128 inputs a scale"),
        ("q-qwen2-gptq4-act", Layout::F32, "GPTQ of 4 bits, 32 inputs a scale in any order"),
        ("q-qwen2-gptq8", Layout::Z8(Group::Of128), "GPTQ of 8 bits, 128 inputs a scale"),
        ("q-qwen3-fp8", Layout::F8, "FP8"),
    ];
    for (name, layout, format) in cases {
        let directory =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name);
        let open = |file: &str| {
            let source = FileSource::open(directory.join(file)).unwrap();
            block_on(Checkpoint::open_safetensors(vec![Arc::new(source)], None)).unwrap()
        };
        let (model, expected) = (open("model.safetensors"), open("expected.safetensors"));
        let config = std::fs::read(directory.join("config.json")).unwrap();
        let config: Value = serde_json::from_slice(&config).unwrap();
        let mut compared = Vec::new();
        for info in expected.tensors() {
            let Some(tensor) = info.name.strip_prefix("dequant.") else { continue };
            let found = read_tensor(&model, &config, tensor).unwrap();
            let wanted = block_on(expected.read_rows(info, 0..info.n_rows())).unwrap();
            let mut values = vec![0.0; info.n_rows() * info.row_len()];
            dequantize(info.dtype, &wanted, &mut values).unwrap();
            assert_eq!(found.shape[1], info.row_len());
            assert_eq!(found.values[..values.len()], values, "{name}: {tensor}");
            assert!(found.format.starts_with(format), "{}", found.format);
            compared.push(found.layout);
        }
        assert_eq!(compared, [layout; 2], "{name}");

        // What is not quantised stays as it is.
        let tensors = Tensors::new(&model, config.get("quantization_config")).unwrap();
        let norm = tensors.get("model.norm.weight").unwrap().unwrap();
        assert!(matches!(norm.layout, Layout::F16 | Layout::BF16 | Layout::F32), "{:?}", norm.layout);
        assert_eq!((norm.n_rows(), norm.shape.len()), (1, 1));
        assert!(tensors.get("model.norm.bias").unwrap().is_none());
        assert!(tensors.get("nothing.weight").unwrap().is_none());
    }
}

/// A layer of 8 inputs and 8 outputs.
fn small() -> Vec<Part> {
    vec![
        Part::words("p.qweight", &[1, 8], &[0; 8]),
        Part::words("p.qzeros", &[1, 1], &[0]),
        Part::floats("p.scales", DType::F16, &[1, 8], &[0.5; 8]),
    ]
}

#[test]
fn tensors_that_do_not_fit_together_are_named() {
    let with = |i: usize, part: Part, config: &Value| {
        let mut parts = small();
        parts.truncate(parts.len().max(i));
        if i < parts.len() {
            parts[i] = part;
        } else {
            parts.push(part);
        }
        message(read(&parts, config))
    };
    let v1 = gptq(4, 128);
    assert_eq!(
        with(0, Part::floats("p.qweight", DType::F16, &[1, 8], &[0.0; 8]), &v1),
        "tensor \"p.qweight\": its type is F16, but I32 is needed"
    );
    assert_eq!(
        with(1, Part::words("p.qzeros", &[1, 2], &[0; 2]), &v1),
        "tensor \"p.qzeros\": its shape is [1, 2], but [1, 1] is needed"
    );
    assert_eq!(
        with(2, Part::floats("p.scales", DType::F16, &[1, 4], &[0.5; 4]), &v1),
        "tensor \"p.scales\": its shape is [1, 4], but [1, 8] is needed"
    );
    assert_eq!(
        with(2, Part::words("p.scales", &[1, 8], &[0; 8]), &v1),
        "tensor \"p.scales\": its type is I32, but F16 or BF16 or F32 is needed"
    );
    assert_eq!(
        with(0, Part::words("p.qweight", &[8], &[0; 8]), &v1),
        "tensor \"p.qweight\": its shape is [8], but a matrix is needed"
    );
    assert_eq!(
        with(0, Part::words("p.qweight", &[0, 8], &[]), &v1),
        "tensor \"p.qweight\": its shape is [0, 8], which is empty or too large"
    );
    assert_eq!(
        message(read(&small(), &gptq(4, 4))),
        "tensor \"p.scales\": its shape is [1, 8], but [2, 8] is needed"
    );
    assert_eq!(
        with(3, Part::words("p.g_idx", &[7], &[0; 7]), &v1),
        "tensor \"p.g_idx\": its shape is [7], but [8] is needed"
    );
    assert_eq!(
        with(3, Part::words("p.g_idx", &[8], &[0, 0, 0, u32::MAX, 0, 0, 0, 0]), &v1),
        "tensor \"p.g_idx\": group -1 where there are only 1"
    );
    let missing = &small()[..2];
    assert_eq!(message(read(missing, &v1)), "tensor \"p.qweight\": \"p.scales\" is missing");
    assert_eq!(
        message(read(&small(), &awq(128))),
        "tensor \"p.scales\": its shape is [1, 8], but [1, 64] is needed"
    );
    assert_eq!(
        message(read(&small(), &Value::Null)),
        "tensor \"p.qweight\": the layer is quantised, but quantization_config in config.json does not say how"
    );
    let mut scales = [0.5; 8];
    for (bad, text) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        scales[3] = bad;
        assert_eq!(
            with(2, Part::floats("p.scales", DType::F16, &[1, 8], &scales), &v1),
            format!("tensor \"p.scales\": scale 3 is {text}, but scales must be finite")
        );
    }
}

#[test]
fn groups_out_of_order_need_desc_act() {
    let parts = |groups: [u32; 16]| {
        [
            Part::words("p.qweight", &[2, 8], &[0; 16]),
            Part::words("p.qzeros", &[2, 1], &[0; 2]),
            Part::floats("p.scales", DType::F16, &[2, 8], &[0.5; 16]),
            Part::words("p.g_idx", &[16], &groups),
        ]
    };
    let mut groups = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];
    assert!(read(&parts(groups), &gptq(4, 8)).is_ok());
    groups.swap(0, 15);
    assert_eq!(
        message(read(&parts(groups), &gptq(4, 8))),
        "tensor \"p.g_idx\": inputs are not in groups of 8 in order, but desc_act is not set in config.json"
    );
    assert!(read(&parts(groups), &gptq_with(gptq(4, 8), "desc_act", true.into())).is_ok());
}

#[test]
fn fp8_that_does_not_fit_is_named() {
    let weight = |bytes: &[u8]| Part::new("p.weight", DType::F8E4M3, &[3, 5], bytes.to_vec());
    let scale =
        |shape: &[usize], values: &[f32]| Part::floats("p.weight_scale_inv", DType::F32, shape, values);
    assert_eq!(
        message(read(&[weight(&[0x38; 15])], &fp8([2, 2]))),
        "tensor \"p.weight\": its scales \"p.weight_scale_inv\" are missing"
    );
    assert_eq!(
        message(read(&[weight(&[0x38; 15]), scale(&[1, 8], &[1.0; 8])], &fp8([2, 2]))),
        "tensor \"p.weight_scale_inv\": its shape is [1, 8], but [2, 3] is needed"
    );
    assert_eq!(
        message(read(&[weight(&[0x38; 15]), scale(&[2, 3], &[1.0; 6])], &Value::Null)),
        "tensor \"p.weight_scale_inv\": its shape is [2, 3], but config.json has no weight_block_size"
    );
    let mut scales = [1.0; 6];
    scales[4] = f32::NEG_INFINITY;
    assert_eq!(
        message(read(&[weight(&[0x38; 15]), scale(&[2, 3], &scales)], &fp8([2, 2]))),
        "tensor \"p.weight_scale_inv\": scale 4 is -inf, but scales must be finite"
    );
    let mut bytes = [0x38; 15];
    bytes[7] = 0xFF;
    assert_eq!(
        message(read(&[weight(&bytes), scale(&[1], &[1.0])], &fp8([2, 2]))),
        "tensor \"p.weight\": the weight in row 1, column 2 is NaN"
    );
}

#[test]
fn methods_that_are_not_known_are_refused() {
    let refused = |config: Value| {
        let checkpoint = open_safetensors(safetensors_with(&small())).unwrap();
        message(Tensors::new(&checkpoint, config.get("quantization_config")))
    };
    let key = |key: &str, value: Value| refused(gptq_with(gptq(4, 128), key, value));
    let start = "config.json: quantization_config: ";
    assert_eq!(
        key("quant_method", json!("bitsandbytes")),
        format!("{start}quant_method is bitsandbytes, but only gptq, awq and fp8 are supported")
    );
    assert_eq!(
        key("quant_method", Value::Null),
        format!("{start}quant_method is missing, but only gptq, awq and fp8 are supported")
    );
    assert_eq!(key("bits", json!(3)), format!("{start}bits is 3, but only [4, 8] are supported"));
    assert_eq!(key("bits", Value::Null), format!("{start}bits is missing, it should be one of [4, 8]"));
    assert_eq!(
        key("group_size", json!(0)),
        format!("{start}group_size is 0, but it must be positive, or -1 for all")
    );
    assert_eq!(key("group_size", Value::Null), format!("{start}group_size is missing"));
    assert_eq!(
        key("checkpoint_format", json!("marlin")),
        format!("{start}checkpoint_format is marlin, but only gptq and gptq_v2 are supported")
    );
    let awq_key = |key: &str, value: Value| refused(gptq_with(awq(128), key, value));
    assert_eq!(
        awq_key("version", json!("gemv")),
        format!("{start}version is gemv, but only gemm is supported")
    );
    assert_eq!(awq_key("bits", json!(8)), format!("{start}bits is 8, but only [4] are supported"));
    assert_eq!(
        awq_key("zero_point", false.into()),
        format!("{start}zero_point is false, but only true is supported")
    );
    assert_eq!(
        refused(fp8([0, 128])),
        format!("{start}weight_block_size is [0, 128], blocks that hold nothing")
    );
    assert_eq!(
        refused(gptq_with(fp8([128, 128]), "fmt", json!("e5m2"))),
        format!("{start}fmt is e5m2, but only e4m3 is supported")
    );
    assert!(refused(json!({"quantization_config": 7})).starts_with(start));
    let checkpoint = open_safetensors(safetensors_with(&small())).unwrap();
    for nothing in [None, Some(&Value::Null)] {
        assert!(Tensors::new(&checkpoint, nothing).is_ok());
    }
}
