#![allow(missing_docs)]
use qwill_weights::*;
fn main() {
    let (n, k) = (std::env::args().nth(1).unwrap().parse().unwrap(), 4096);
    let v: Vec<f32> = (0..n * k).map(|i| ((i * 7919) % 1000) as f32 / 1000.0 - 0.5).collect();
    for d in [DType::F32, DType::F16, DType::BF16, DType::Q8_0, DType::Q4_0] {
        let b = quantize(d, &v).unwrap();
        let mut best = f64::MAX;
        for _ in 0..30 {
            let t = std::time::Instant::now();
            std::hint::black_box(repack(d, &b, n, k).unwrap());
            best = best.min(t.elapsed().as_secs_f64());
        }
        let mut bm = f64::MAX;
        for _ in 0..30 {
            let t = std::time::Instant::now();
            std::hint::black_box(b.to_vec());
            bm = bm.min(t.elapsed().as_secs_f64());
        }
        println!("memcpy {:.2}", b.len() as f64 / bm / 1e9);
        println!("repack {d}: {:.2} GB/s of input", b.len() as f64 / best / 1e9);
        let mut o = vec![0.0; v.len()];
        let mut best = f64::MAX;
        for _ in 0..30 {
            let t = std::time::Instant::now();
            dequantize(d, &b, &mut o).unwrap();
            best = best.min(t.elapsed().as_secs_f64());
        }
        println!("dequantize {d}: {:.2} Gelem/s", o.len() as f64 / best / 1e9);
        let mut best = f64::MAX;
        for _ in 0..3 {
            let t = std::time::Instant::now();
            std::hint::black_box(quantize(d, &v).unwrap());
            best = best.min(t.elapsed().as_secs_f64());
        }
        println!("quantize {d}: {:.2} Gelem/s", o.len() as f64 / best / 1e9);
    }
}
