#![allow(missing_docs)]
use qwill_weights::packed::*;
use qwill_weights::*;
use std::rc::Rc;
fn open(p: &str) -> Checkpoint {
    pollster::block_on(Checkpoint::open_safetensors(vec![Rc::new(FileSource::open(p).unwrap())], None))
        .unwrap()
}
fn all(c: &Checkpoint, t: &TensorInfo) -> Vec<u8> {
    pollster::block_on(c.read_rows(t, 0..t.n_rows())).unwrap()
}
fn f32s(c: &Checkpoint, t: &TensorInfo) -> Vec<f32> {
    let mut o = vec![0.0; t.n_rows() * t.row_len()];
    dequantize(t.dtype, &all(c, t), &mut o).unwrap();
    o
}
fn main() {
    for dir in std::env::args().skip(1) {
        let cfg: serde_json::Value =
            serde_json::from_slice(&std::fs::read(format!("{dir}/config.json")).unwrap()).unwrap();
        let q = &cfg["quantization_config"];
        let c = open(&format!("{dir}/model.safetensors"));
        let e = open(&format!("{dir}/expected.safetensors"));
        for t in e.tensors() {
            let Some(name) = t.name.strip_prefix("dequant.") else {
                continue;
            };
            let base = name.strip_suffix(".weight").unwrap_or(name);
            let get = |s: &str| c.tensor(&format!("{base}.{s}")).map(|i| (i, all(&c, i)));
            let exp = f32s(&e, t);
            let n = t.n_rows();
            let (got, lay) = match q["quant_method"].as_str().unwrap() {
                "gptq" => {
                    let (w, z, s, g) = (
                        get("qweight").unwrap(),
                        get("qzeros").unwrap(),
                        get("scales").unwrap(),
                        get("g_idx"),
                    );
                    let l = Gptq::new(
                        Part { info: w.0, bytes: &w.1 },
                        Part { info: z.0, bytes: &z.1 },
                        Part { info: s.0, bytes: &s.1 },
                        g.as_ref().map(|g| Part { info: g.0, bytes: &g.1 }),
                        GptqOptions {
                            bits: q["bits"].as_u64().unwrap() as u32,
                            group_size: Some(q["group_size"].as_u64().unwrap() as usize),
                            zeros: GptqZeros::MinusOne,
                        },
                    )
                    .unwrap();
                    (l.rows(0..n).unwrap(), l.layout())
                }
                "awq" => {
                    let (w, z, s) = (get("qweight").unwrap(), get("qzeros").unwrap(), get("scales").unwrap());
                    let l = Awq::new(
                        Part { info: w.0, bytes: &w.1 },
                        Part { info: z.0, bytes: &z.1 },
                        Part { info: s.0, bytes: &s.1 },
                        Some(q["group_size"].as_u64().unwrap() as usize),
                    )
                    .unwrap();
                    (l.rows(0..n).unwrap(), l.layout())
                }
                _ => {
                    let (w, s) = (get("weight").unwrap(), get("weight_scale_inv").unwrap());
                    let l =
                        Fp8::new([w.0.shape[0], w.0.shape[1]], Part { info: s.0, bytes: &s.1 }, [128, 128])
                            .unwrap();
                    (l.rows(0..n, &w.1[..n * w.0.row_len()]).unwrap(), None)
                }
            };
            println!("{dir} {name} {:?} same={} layout={lay:?}", t.shape, got == exp);
        }
    }
}
