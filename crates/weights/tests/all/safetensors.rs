//! Safetensors files: the reference implementation's are read, and every kind of damage gives a
//! message.

use std::collections::HashMap;
use std::sync::Arc;

use crate::common::{message, open_safetensors, source};
use ::safetensors::tensor::{Dtype, TensorView, serialize};
use pollster::block_on;
use qwill_weights::{ByteSource, Checkpoint, Container, DType, Error};

/// A file with any header, right or wrong, and `n` bytes of data.
fn raw(header: &str, n: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.resize(file.len() + n, 0);
    file
}

fn error(header: &str, n: usize) -> String {
    message(open_safetensors(raw(header, n)))
}

fn tensor(name: &str, dtype: &str, shape: &str, begin: u64, end: u64) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{begin},{end}]}}"#)
}

#[test]
fn files_of_the_reference_implementation_are_read() {
    let a: Vec<u8> = (0..24).collect();
    let b: Vec<u8> = (100..106).collect();
    let views = [
        ("a", TensorView::new(Dtype::F32, vec![3, 2], &a).unwrap()),
        ("b", TensorView::new(Dtype::BF16, vec![3], &b).unwrap()),
        ("c", TensorView::new(Dtype::F8_E4M3, vec![2, 3], &b).unwrap()),
        ("d", TensorView::new(Dtype::I64, vec![], &a[..8]).unwrap()),
        ("e", TensorView::new(Dtype::BOOL, vec![0, 4], &[]).unwrap()),
    ];
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let file = open_safetensors(serialize(views, Some(metadata)).unwrap()).unwrap();
    assert_eq!(file.container(), Container::Safetensors);
    assert!(file.metadata().is_empty());
    assert_eq!(file.tensors().count(), 5);
    let check = |name: &str, dtype: DType, shape: &[usize], bytes: &[u8]| {
        let t = file.tensor(name).unwrap();
        assert_eq!((t.dtype, &t.shape[..]), (dtype, shape));
        assert_eq!(block_on(file.read_rows(t, 0..t.n_rows())).unwrap(), bytes);
    };
    check("a", DType::F32, &[3, 2], &a);
    check("b", DType::BF16, &[3], &b);
    check("c", DType::F8E4M3, &[2, 3], &b);
    check("d", DType::I64, &[], &a[..8]);
    check("e", DType::Bool, &[0, 4], &[]);
    let row = block_on(file.read_rows(file.tensor("a").unwrap(), 1..2)).unwrap();
    assert_eq!(row, a[8..16]);
    assert!(file.tensor("__metadata__").is_none());
}

#[test]
fn headers_may_be_padded_and_hold_keys_of_the_future() {
    let header = r#"{"w":{"dtype":"U8","later":[{}],"shape":[2],"data_offsets":[0,2]}}   "#;
    assert!(open_safetensors(raw(header, 2)).is_ok());
    assert_eq!(open_safetensors(raw("{}", 0)).unwrap().tensors().count(), 0);
}

#[test]
fn other_files_are_told_from_safetensors() {
    let name = "model.safetensors: ";
    assert_eq!(
        message(open_safetensors(b"abc".to_vec())),
        format!("{name}not a safetensors file: it has 3 bytes, and the header length alone takes 8")
    );
    assert_eq!(
        message(open_safetensors(b"GGUF\x03\0\0\0 and so on".to_vec())),
        format!("{name}this is a GGUF file, not a safetensors file")
    );
    assert_eq!(
        message(open_safetensors(vec![0xFF; 16])),
        format!(
            "{name}not a safetensors file, or damaged: the header claims 18446744073709551615 \
             bytes, and at most 100000000 are allowed"
        )
    );
    let mut longer = raw("{}", 0);
    longer[0] = 3;
    assert_eq!(
        message(open_safetensors(longer)),
        format!("{name}the file is cut off: the header ends at byte 11, the file at 10")
    );
    assert_eq!(message(block_on(Checkpoint::open_safetensors(vec![], None))), "safetensors: no files given");
}

#[test]
fn damaged_headers_are_refused() {
    let bad = "model.safetensors: bad header: ";
    assert!(error("not json", 0).starts_with(bad));
    assert!(error("[]", 0).contains("expected an object"));
    assert!(error("{} {}", 0).contains("trailing characters"));
    assert!(error("", 0).starts_with(bad));
    let mut utf8 = raw(r#"{"w":0}"#, 0);
    utf8[10] = 0xFF;
    assert!(message(open_safetensors(utf8)).contains("invalid unicode"));

    // JSON bombs: deep where a tensor should be, and a shape without end.
    let deep = "[".repeat(100_000);
    assert!(error(&format!("{{\"w\":{deep}"), 0).contains("tensor \"w\": invalid type: sequence"));
    assert!(error(&format!("{{\"w\":{{\"shape\":{deep}"), 0).contains("tensor \"w\": invalid type"));
    assert!(error(&format!("{{\"__metadata__\":{deep}"), 0).contains("EOF while parsing"));
    let ones = format!("[{}1]", "1,".repeat(100_000));
    assert!(
        error(&format!("{{{}}}", tensor("w", "U8", &ones, 0, 1)), 1)
            .contains("tensor \"w\": invalid length 9, expected an array of at most 8 dimensions")
    );

    let one = |entry: &str| error(&format!("{{{entry}}}"), 64);
    assert!(one(r#""w":{"dtype":"U8","shape":[1]}"#).contains("tensor \"w\": missing field `data_offsets`"));
    assert!(
        one(r#""w":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}"#)
            .contains("tensor \"w\": invalid value")
    );
    assert!(one(r#""w":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}"#).contains("tensor \"w\""));
    assert!(one(r#""w":{"dtype":"U8","shape":[1e3],"data_offsets":[0,1]}"#).contains("tensor \"w\""));
    let twice = [tensor("w", "U8", "[1]", 0, 1), tensor("w", "U8", "[1]", 1, 2)].join(",");
    assert!(one(&twice).contains("\"w\" occurs twice"));
}

#[test]
fn damaged_tensors_are_refused_by_name() {
    let one = |dtype: &str, shape: &str, begin: u64, end: u64| {
        error(&format!("{{{}}}", tensor("w", dtype, shape, begin, end)), 64)
    };
    let w = "model.safetensors: tensor \"w\": ";
    assert_eq!(one("Q9", "[1]", 0, 1), format!("{w}unknown dtype \"Q9\""));
    assert_eq!(
        one("F32", "[2,2]", 0, 12),
        format!("{w}its data_offsets [0, 12] span 12 bytes, but F32 [2, 2] takes 16")
    );
    assert_eq!(one("U8", "[1]", 2, 1), format!("{w}its data_offsets [2, 1] run backwards"));
    assert_eq!(
        one("U8", "[1]", u64::MAX - 1, u64::MAX),
        format!("{w}its data_offsets [18446744073709551614, 18446744073709551615] lie beyond any file")
    );
    assert_eq!(
        one("U8", "[4294967296,4294967296]", 0, 0),
        format!("{w}the shape [4294967296, 4294967296] is too large for this machine")
    );
    let text = one("U8", "[2]", 63, 65);
    assert!(text.starts_with(&format!("{w}the file is cut off or damaged: 2 bytes from byte")), "{text}");
    let overlapping = [tensor("a", "U8", "[4]", 0, 4), tensor("b", "U8", "[4]", 3, 7)].join(",");
    assert_eq!(
        error(&format!("{{{overlapping}}}"), 64),
        "model.safetensors: tensor \"b\": its bytes overlap with those of \"a\""
    );
}

/// Two shards and one more that is left over from another export.
fn shards() -> Vec<Arc<dyn ByteSource>> {
    let file = |name: &str, tensors: &[&str], byte: u8| {
        let entries: Vec<String> =
            tensors.iter().zip(0..).map(|(t, i)| tensor(t, "U8", "[1]", i, i + 1)).collect();
        let mut bytes = raw(&format!("{{{}}}", entries.join(",")), 0);
        bytes.resize(bytes.len() + tensors.len(), byte);
        source(name, bytes)
    };
    vec![
        file("dir/model-1.safetensors", &["a", "b"], 1),
        file("https://host/model-2.safetensors", &["b", "c"], 2),
    ]
}

fn open_indexed(map: &str) -> Result<Checkpoint, Error> {
    let index = format!(r#"{{"metadata":{{"total_size":4}},"weight_map":{map}}}"#);
    block_on(Checkpoint::open_safetensors(shards(), Some(index.as_bytes())))
}

#[test]
fn the_index_decides_where_a_tensor_is_read_from() {
    let file =
        open_indexed(r#"{"a":"model-1.safetensors","b":"model-2.safetensors","c":"model-2.safetensors"}"#)
            .unwrap();
    assert_eq!(file.tensors().count(), 3);
    let read = |name: &str| {
        let t = file.tensor(name).unwrap();
        block_on(file.read_rows(t, 0..1)).unwrap()[0]
    };
    assert_eq!([read("a"), read("b"), read("c")], [1, 2, 2]);
}

#[test]
fn an_index_that_does_not_fit_the_shards_is_refused() {
    assert_eq!(
        message(open_indexed(r#"{"a":"model-3.safetensors"}"#)),
        "model-3.safetensors: the index says that it holds \"a\", but the file was not given"
    );
    assert_eq!(
        message(open_indexed(r#"{"a":"model-2.safetensors","b":"model-1.safetensors"}"#)),
        "model-2.safetensors: tensor \"a\": the index says that it is in this file, but it is not"
    );
    assert!(message(open_indexed("[]")).starts_with("safetensors index: "));
    assert!(
        message(open_indexed(r#"{"a":"model-1.safetensors","a":"model-2.safetensors"}"#))
            .contains("\"a\" occurs twice")
    );
    assert_eq!(
        message(block_on(Checkpoint::open_safetensors(shards(), None))),
        "https://host/model-2.safetensors: tensor \"b\": occurs twice"
    );
}
