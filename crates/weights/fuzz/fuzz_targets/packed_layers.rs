//! Layers of GPTQ, AWQ and FP8 with any contents, and shapes that mostly fit: an error, or rows whose
//! streams unpack to their values. The first bytes choose method and shapes.
//!
//! Run by `cargo xtask test fuzz`.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use pollster::block_on;
use qwill_weights::{Checkpoint, DType, Error, MemorySource, Tensors, unpack};
use serde_json::{Map, Value, json};

/// A file whose contents are the input, again and again.
struct File<'a> {
    header: Map<String, Value>,
    data: Vec<u8>,
    input: std::iter::Cycle<std::slice::Iter<'a, u8>>,
}

impl File<'_> {
    fn put(&mut self, name: &str, dtype: DType, shape: &[usize]) {
        let len = shape.iter().product::<usize>() * dtype.block_bytes();
        let bytes = self.input.by_ref().take(len).copied().collect();
        self.put_bytes(name, dtype, shape, bytes);
    }

    /// A `g_idx` with groups that exist, and one that does not.
    fn put_groups(&mut self, n_in: usize, n_groups: usize) {
        let group = |&byte: &u8| u32::from(byte) % (n_groups as u32 + 1);
        let bytes = self.input.by_ref().take(n_in).map(group).flat_map(u32::to_le_bytes).collect();
        self.put_bytes("p.g_idx", DType::I32, &[n_in], bytes);
    }

    fn put_bytes(&mut self, name: &str, dtype: DType, shape: &[usize], bytes: Vec<u8>) {
        let begin = self.data.len();
        self.data.extend(bytes);
        let entry = json!({"dtype": dtype.name(), "shape": shape, "data_offsets": [begin, self.data.len()]});
        self.header.insert(name.to_owned(), entry);
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&[method, rows, columns, size, flags], input @ [_, ..])) = data.split_first_chunk::<5>() else {
        return;
    };
    let (rows, columns, size) = (usize::from(rows % 48), usize::from(columns % 24), usize::from(size) + 1);
    let flag = |bit: u32| flags >> bit & 1 == 1;
    let scales = [DType::F16, DType::BF16, DType::F32, DType::F16][usize::from(flags >> 6)];
    let mut file = File { header: Map::new(), data: Vec::new(), input: input.iter().cycle() };
    // One more than would fit, now and then.
    let off = usize::from(flag(0) && flag(1));
    let config = match method % 3 {
        0 => {
            let bits = if flag(2) { 4 } else { 8 };
            let (n_in, n_out) = (rows * 32 / bits, columns * 4);
            let n_groups = n_in.div_ceil(size);
            file.put("p.qweight", DType::I32, &[rows, n_out]);
            file.put("p.qzeros", DType::I32, &[n_groups, n_out.div_ceil(32 / bits) + off]);
            file.put("p.scales", scales, &[n_groups, n_out]);
            if flag(3) {
                file.put_groups(n_in, n_groups);
            }
            let format = if flag(4) { "gptq" } else { "gptq_v2" };
            json!({"quant_method": "gptq", "bits": bits, "group_size": size, "desc_act": flag(5),
                "checkpoint_format": format})
        }
        1 => {
            let n_groups = rows.div_ceil(size);
            file.put("p.qweight", DType::I32, &[rows, columns]);
            file.put("p.qzeros", DType::I32, &[n_groups, columns]);
            file.put("p.scales", scales, &[n_groups + off, columns * 8]);
            json!({"quant_method": "awq", "bits": 4, "group_size": size})
        }
        _ => {
            let block = [size % 9 + 1, size];
            let n_in = columns * 13;
            let grid = [rows.div_ceil(block[0]), n_in.div_ceil(block[1]) + off];
            file.put("p.weight", DType::F8E4M3, &[2, rows, n_in]);
            file.put("p.weight_scale_inv", scales, &[2, grid[0], grid[1]]);
            json!({"quant_method": "fp8", "weight_block_size": block})
        }
    };
    let header = serde_json::to_vec(&file.header).unwrap();
    let bytes = [&(header.len() as u64).to_le_bytes()[..], &header, &file.data].concat();
    let source = Arc::new(MemorySource::new("fuzz", bytes));
    let checkpoint = block_on(Checkpoint::open_safetensors(vec![source], None)).unwrap();
    if let Err(error) = read(&checkpoint, &config) {
        assert!(!error.to_string().is_empty());
    }
});

fn read(checkpoint: &Checkpoint, config: &Value) -> Result<(), Error> {
    let Some(tensor) = Tensors::new(checkpoint, Some(config))?.get("p.weight")? else { return Ok(()) };
    let reader = block_on(tensor.open())?;
    let rows = tensor.n_rows() / 3..tensor.n_rows();
    let values = block_on(reader.values(rows.clone()))?;
    let streams = block_on(reader.streams(rows.clone(), tensor.layout))?;
    let back = unpack(tensor.layout, &streams, rows.len(), tensor.row_len());
    assert_eq!(back.len(), values.len());
    assert!(back.iter().zip(&values).all(|(a, b)| a.to_bits() == b.to_bits()));
    Ok(())
}
