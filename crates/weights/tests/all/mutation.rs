//! Damages small valid files at random (always the same way) and opens them: whatever comes out,
//! nothing may panic, and what opens must be readable.

use crate::common::{Random, open_gguf, open_safetensors};
use pollster::block_on;
use qwill_weights::{Array, Checkpoint, DType, Error, dequantize, gguf, repack};

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
