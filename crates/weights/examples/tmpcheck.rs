#![allow(missing_docs)]
use qwill_weights::*;
use std::rc::Rc;
fn main() {
    for path in std::env::args().skip(1) {
        let src: Rc<dyn ByteSource> = Rc::new(FileSource::open(&path).unwrap());
        let ck = match pollster::block_on(Checkpoint::open_gguf(vec![src])) {
            Ok(c) => c,
            Err(e) => {
                println!("ERR {e}");
                continue;
            }
        };
        let exp = path.replace(".gguf", ".expected.safetensors");
        let src: Rc<dyn ByteSource> = Rc::new(FileSource::open(&exp).unwrap());
        let ex = pollster::block_on(Checkpoint::open_safetensors(vec![src], None)).unwrap();
        let mut n = 0;
        for t in ex.tensors() {
            if let Some(rest) = t.name.strip_prefix("dequant.") {
                let (ty, name) = rest.split_once('.').unwrap();
                let w = ck.tensor(name).unwrap_or_else(|| panic!("{name}"));
                assert_eq!(w.dtype.name(), ty);
                let rows = t.n_rows();
                let b = pollster::block_on(ck.read_rows(w, 0..rows)).unwrap();
                let mut v = vec![0.0; rows * w.row_len()];
                dequantize(w.dtype, &b, &mut v).unwrap();
                let eb = pollster::block_on(ex.read_rows(t, 0..rows)).unwrap();
                let mut e = vec![0.0; rows * t.row_len()];
                dequantize(t.dtype, &eb, &mut e).unwrap();
                let same = v.iter().zip(&e).all(|(a, b)| a.to_bits() == b.to_bits());
                println!("{path} {rest} {:?} {:?} same={same}", t.shape, w.shape);
                n += 1;
            }
        }
        println!(
            "{path}: {n} arch {:?} tokens {:?}",
            ck.metadata().get_str("general.architecture").unwrap(),
            ck.metadata().get_strings("tokenizer.ggml.tokens").unwrap().map(|v| v.len())
        );
    }
}
