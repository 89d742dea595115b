use std::rc::Rc;
use qwill_weights::*;
fn open(p:&str)->Checkpoint{ pollster::block_on(Checkpoint::open_gguf(vec![Rc::new(FileSource::open(p).unwrap())])).unwrap() }
fn main() {
    let d="/work/shared/fixtures/g-qwen2/g-qwen2-";
    let f=open(&format!("{d}F16.gguf"));
    for q in ["Q4_0","Q4_1","Q5_0","Q5_1","Q8_0"] {
        let c=open(&format!("{d}{q}.gguf"));
        let mut same=0; let mut diff=0;
        for t in c.tensors() { if t.dtype.name()!=q {continue}
            let s=f.tensor(&t.name).unwrap();
            let b=pollster::block_on(f.read_rows(s,0..s.n_rows())).unwrap();
            let mut v=vec![0.0;s.n_rows()*s.row_len()]; dequantize(s.dtype,&b,&mut v).unwrap();
            let mine=quantize(t.dtype,&v).unwrap();
            let theirs=pollster::block_on(c.read_rows(t,0..t.n_rows())).unwrap();
            let bb=t.dtype.block_bytes();
            for (a,b) in mine.chunks(bb).zip(theirs.chunks(bb)) { if a==b {same+=1} else {diff+=1; if diff<3 {println!("{a:?}\n{b:?}")}} }
        }
        println!("{q}: same {same} diff {diff}");
    }
}
