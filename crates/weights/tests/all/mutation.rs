//! Damages small valid files at random (always the same way) and opens them: whatever comes out,
//! nothing may panic, and what opens must be readable.

use crate::common::{Part, Random, open_gguf, open_safetensors, safetensors_with};
use pollster::block_on;
use qwill_weights::{Array, Checkpoint, DType, Error, Tensors, dequantize, gguf, repack, unpack};
use serde_json::json;

fn gguf_file() -> Vec<u8> {
    let mut writer = gguf::Writer::new();
    writer.metadata("general.architecture", "qwen3");
    writer.metadata("qwen3.block_count", 2u32);
    writer.metadata("tokens", ["a", "b", "long"].into_iter().collect::<Array>());
    writer.metadata("types", Array::from(&[1i32, 2, 3][..]));
    writer.metadata("nested", Array::from(vec![Array::from(&[1u8][..])]));
    writer.metadata("flag", true);
    writer.metadata("split.no", 0u16);
    writer.metadata("split.count", 1u16);
    writer.tensor("q4", &[2, 32], DType::Q4_0).unwrap();
    writer.tensor("k", &[1, 256], DType::Q6_K).unwrap();
    writer.tensor("norm", &[5], DType::F32).unwrap();
    let mut body = writer.start(Vec::new()).unwrap();
    body.write("q4", &[0x5A; 36]).unwrap();
    body.write("k", &[0x5A; 210]).unwrap();
    body.write("norm", &[0x3F; 20]).unwrap();
    body.finish().unwrap()
}

fn safetensors_file() -> Vec<u8> {
    let header = br#"{"__metadata__":{"format":"pt"},
        "a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},
        "b":{"dtype":"BF16","shape":[3],"data_offsets":[24,30]},
        "c":{"dtype":"F8_E4M3","shape":[1,2,1],"data_offsets":[30,32]}}"#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend([0x3F; 32]);
    file
}

fn mutate(file: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        if file.is_empty() {
            return;
        }
        let at = random.below(file.len());
        match random.below(6) {
            0 => file[at] ^= 1 << random.below(8),
            1 => file[at] = random.next() as u8,
            2 => file.truncate(at),
            3 => {
                file.remove(at);
            }
            4 => file.insert(at, random.next() as u8),
            // The numbers that arithmetic forgets.
            _ => {
                let number: u64 = [0, u64::MAX, 1 << 63, 1 << 32, u64::MAX / 4][random.below(5)];
                for (byte, new) in file[at..].iter_mut().zip(number.to_le_bytes()) {
                    *byte = new;
                }
            }
        }
    }
}

/// Opens `rounds` damaged copies; returns how many were still valid.
fn survivors(original: &[u8], rounds: u64, open: impl Fn(Vec<u8>) -> Result<Checkpoint, Error>) -> usize {
    let mut valid = 0;
    for seed in 0..rounds {
        let mut file = original.to_vec();
        mutate(&mut file, &mut Random(seed));
        match open(file) {
            Ok(checkpoint) => {
                valid += 1;
                read_all(&checkpoint);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    valid
}

fn read_all(checkpoint: &Checkpoint) {
    for (key, value) in checkpoint.metadata().iter() {
        assert!(!value.to_string().is_empty(), "{key}");
        // Any getter may be asked for any key.
        let _ = checkpoint.metadata().get_u64s(key);
        let _ = checkpoint.metadata().get_strings(key);
    }
    for t in checkpoint.tensors() {
        let bytes = block_on(checkpoint.read_rows(t, 0..t.n_rows())).unwrap();
        assert_eq!(bytes.len() as u64, t.byte_len);
        let mut out = vec![0.0; t.n_rows() * t.row_len()];
        // Types without values or layout are refused; the sizes always fit.
        if let Err(error) = dequantize(t.dtype, &bytes, &mut out) {
            assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        }
        if let Err(error) = repack(t.dtype, &bytes, t.n_rows(), t.row_len()) {
            assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        }
    }
}

/// A layer of each packed kind, none of them large.
fn packed_file() -> Vec<u8> {
    safetensors_with(&[
        Part::words("p.qweight", &[5, 8], &[0x5A6B_7C8D; 40]),
        Part::words("p.qzeros", &[2, 1], &[0x7777_7777; 2]),
        Part::floats("p.scales", DType::F16, &[2, 8], &[0.5; 16]),
        Part::words("p.g_idx", &[40], &[[0; 32].as_slice(), &[1; 8]].concat()),
        Part::new("f.weight", DType::F8E4M3, &[3, 5], vec![0x35; 15]),
        Part::floats("f.weight_scale_inv", DType::BF16, &[2, 1], &[0.5, 2.0]),
    ])
}

/// Reads the layers that are still whole; returns how many.
fn read_packed(checkpoint: &Checkpoint) -> usize {
    let gptq = json!({"quant_method": "gptq", "bits": 4, "group_size": 32});
    let fp8 = json!({"quant_method": "fp8", "weight_block_size": [2, 128]});
    let read = |config, name| {
        let Some(tensor) = Tensors::new(checkpoint, Some(config))?.get(name)? else { return Ok(0) };
        let reader = block_on(tensor.open())?;
        let rows = 0..tensor.n_rows();
        let streams = block_on(reader.streams(rows.clone(), tensor.layout))?;
        let values = block_on(reader.values(rows.clone()))?;
        assert_eq!(unpack(tensor.layout, &streams, rows.len(), tensor.row_len()), values);
        Ok(1)
    };
    [(&gptq, "p.weight"), (&fp8, "f.weight")]
        .into_iter()
        .map(|(config, name)| {
            read(config, name).unwrap_or_else(|error: Error| {
                assert!(!error.to_string().is_empty());
                0
            })
        })
        .sum()
}

#[test]
fn damaged_packed_layers_never_panic() {
    let file = packed_file();
    assert_eq!(read_packed(&open_safetensors(file.clone()).unwrap()), 2);
    let (mut whole, mut broken) = (0, 0);
    for seed in 0..6000 {
        let mut file = file.clone();
        mutate(&mut file, &mut Random(seed));
        match open_safetensors(file).map(|checkpoint| read_packed(&checkpoint)) {
            Ok(2) => whole += 1,
            Ok(_) => broken += 1,
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    // All ways out were taken, or the damage is of the wrong kind.
    assert!(whole > 100 && broken > 100, "{whole} whole, {broken} broken");
}

#[test]
fn damaged_gguf_files_never_panic() {
    let file = gguf_file();
    read_all(&open_gguf(file.clone()).unwrap());
    let valid = survivors(&file, 6000, open_gguf);
    // Both ways out were taken, or the damage is of the wrong kind.
    assert!((100..5900).contains(&valid), "{valid}");
}

#[test]
fn damaged_safetensors_files_never_panic() {
    let file = safetensors_file();
    read_all(&open_safetensors(file.clone()).unwrap());
    let valid = survivors(&file, 6000, open_safetensors);
    assert!((100..5900).contains(&valid), "{valid}");
}
