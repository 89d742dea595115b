//! GGUF files: what is written is read, and every kind of damage gives a message.

use std::ops::Range;
use std::sync::Arc;

use crate::common::{Watched, message, open_gguf, source};
use pollster::block_on;
use qwill_weights::{Array, ByteSource, Checkpoint, DType, Error, Value, gguf};

/// Builds headers byte by byte, right or wrong.
#[derive(Clone)]
struct Raw(Vec<u8>);

impl Raw {
    fn new(n_tensors: u64, n_pairs: u64) -> Self {
        Self(b"GGUF".to_vec()).u32(3).u64(n_tensors).u64(n_pairs)
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn u32(self, v: u32) -> Self {
        self.bytes(&v.to_le_bytes())
    }

    fn u64(self, v: u64) -> Self {
        self.bytes(&v.to_le_bytes())
    }

    fn str(self, s: &str) -> Self {
        self.u64(s.len() as u64).bytes(s.as_bytes())
    }

    /// A tensor in GGUF's order of dimensions.
    fn tensor(self, name: &str, dims: &[u64], type_id: u32, offset: u64) -> Self {
        let this = self.str(name).u32(dims.len() as u32);
        let this = dims.iter().fold(this, |this, &d| this.u64(d));
        this.u32(type_id).u64(offset)
    }

    /// Pads to the data and adds `n` bytes of it.
    fn data(mut self, n: usize) -> Vec<u8> {
        let start = self.0.len().next_multiple_of(32);
        self.0.resize(start + n, 0);
        self.0
    }

    fn error(self) -> String {
        message(open_gguf(self.0))
    }
}

fn write(writer: gguf::Writer, tensors: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = writer.start(Vec::new()).unwrap();
    for (name, bytes) in tensors {
        // In two pieces, as a caller that streams would.
        let (a, b) = bytes.split_at(bytes.len() / 2);
        body.write(name, a).unwrap();
        body.write(name, b).unwrap();
    }
    body.finish().unwrap()
}

#[test]
fn what_is_written_is_read() {
    let values: [(&str, Value); 15] = [
        ("u8", 200u8.into()),
        ("i8", (-7i8).into()),
        ("u16", 40_000u16.into()),
        ("i16", (-300i16).into()),
        ("u32", 3_000_000_000u32.into()),
        ("i32", (-70_000i32).into()),
        ("f32", 0.5f32.into()),
        ("bool", true.into()),
        ("string", "größer".into()),
        ("u64", u64::MAX.into()),
        ("i64", i64::MIN.into()),
        ("f64", 1e-300f64.into()),
        ("i32s", Array::from(&[1i32, -2, 3][..]).into()),
        ("strings", ["", "a", "ü b"].into_iter().collect::<Array>().into()),
        ("nested", Array::from(vec![Array::from(&[1u8][..]), Array::from(&[][..] as &[f32])]).into()),
    ];
    let mut writer = gguf::Writer::new();
    for (key, value) in values.clone() {
        writer.metadata(key, value);
    }
    writer.tensor("a", &[3, 2, 32], DType::Q8_0).unwrap();
    writer.tensor("empty", &[0, 5], DType::F32).unwrap();
    writer.tensor("scalar", &[], DType::F32).unwrap();
    writer.tensor("b", &[3], DType::F16).unwrap();
    let a: Vec<u8> = (0..204).map(|i| i as u8).collect();
    let file = write(writer, &[("a", &a), ("scalar", &[1, 2, 3, 4]), ("b", &[9, 8, 7, 6, 5, 4])]);

    let file = open_gguf(file).unwrap();
    let read: Vec<(&str, Value)> = file.metadata().iter().map(|(k, v)| (k, v.clone())).collect();
    assert_eq!(read, values);
    let names: Vec<&str> = file.tensors().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["a", "empty", "scalar", "b"]);

    let t = file.tensor("a").unwrap();
    assert_eq!((&t.shape[..], t.n_rows(), t.row_len(), t.row_bytes()), (&[3, 2, 32][..], 6, 32, 34));
    assert_eq!(t.offset % 32, 0);
    assert_eq!(block_on(file.read_rows(t, 0..6)).unwrap(), a);
    assert_eq!(block_on(file.read_rows(t, 4..5)).unwrap(), a[4 * 34..5 * 34]);
    assert_eq!(block_on(file.read_rows(t, 6..6)).unwrap(), [0u8; 0]);
    let b = file.tensor("b").unwrap();
    assert_eq!((b.n_rows(), b.row_bytes()), (1, 6));
    assert_eq!(block_on(file.read_rows(b, 0..1)).unwrap(), [9, 8, 7, 6, 5, 4]);
    let scalar = file.tensor("scalar").unwrap();
    assert_eq!((scalar.n_rows(), scalar.row_len(), scalar.byte_len), (1, 1, 4));
    let empty = file.tensor("empty").unwrap();
    assert_eq!((empty.n_rows(), empty.byte_len), (0, 0));
}

#[test]
fn rows_that_are_not_there_are_refused() {
    let file = open_gguf(Raw::new(1, 0).tensor("w", &[4, 2], 0, 0).data(32)).unwrap();
    let t = file.tensor("w").unwrap();
    assert_eq!(
        message(block_on(file.read_rows(t, 1..3))),
        "model.gguf: tensor \"w\": rows 1..3 asked for, it has 2"
    );
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is tested")]
    let backwards = 2..1;
    assert!(block_on(file.read_rows(t, backwards)).is_err());
    let mut foreign = t.clone();
    foreign.source = 3;
    assert_eq!(
        message(block_on(file.read_rows(&foreign, 0..1))),
        "checkpoint: tensor \"w\": there is no source 3"
    );
    let mut beyond = t.clone();
    beyond.offset = u64::MAX - 3;
    assert!(block_on(file.read_rows(&beyond, 0..1)).is_err());
}

#[test]
fn getters_convert_widths_and_name_what_they_found() {
    let mut writer = gguf::Writer::new();
    writer.metadata("small", 7u8);
    writer.metadata("negative", -7i32);
    writer.metadata("text", "qwen3");
    writer.metadata("long", "x".repeat(100));
    writer.metadata("ints", Array::from(&[1u64, 1 << 40][..]));
    writer.metadata("none", Array::from(&[][..] as &[f32]));
    let file = open_gguf(write(writer, &[])).unwrap();
    let meta = file.metadata();
    assert_eq!(meta.get_u64("small").unwrap(), Some(7));
    assert_eq!(meta.get_i64("small").unwrap(), Some(7));
    assert_eq!(meta.get_f64("small").unwrap(), Some(7.0));
    assert_eq!(meta.get_i64("negative").unwrap(), Some(-7));
    assert_eq!(meta.get_u64s("ints").unwrap(), Some(vec![1, 1 << 40]));
    assert_eq!(meta.get_strings("none").unwrap(), Some(vec![]));
    assert_eq!(meta.get_u64("absent").unwrap(), None);
    assert_eq!(meta.get_strings("absent").unwrap(), None);

    assert_eq!(
        message(meta.get_u64("negative")),
        "metadata key \"negative\" should be an integer that is not negative, but it is i32 -7"
    );
    assert_eq!(
        message(meta.get_u64("text")),
        "metadata key \"text\" should be an integer that is not negative, but it is string \"qwen3\""
    );
    assert_eq!(
        message(meta.get_i32s("ints")),
        "metadata key \"ints\" should be an array of integers that fit 32 bits, but it is array of 2 u64"
    );
    assert_eq!(
        message(meta.get_strings("ints")),
        "metadata key \"ints\" should be an array of strings, but it is array of 2 u64"
    );
    assert!(message(meta.get_bool("long")).len() < 150);
}

#[test]
fn the_writer_refuses_what_the_format_cannot_hold() {
    let mut writer = gguf::Writer::new();
    writer.tensor("w", &[2, 32], DType::Q4_0).unwrap();
    let name = "new GGUF file: tensor";
    assert_eq!(message(writer.tensor("w", &[1], DType::F32)), format!("{name} \"w\": announced twice"));
    assert_eq!(
        message(writer.tensor("v", &[1; 5], DType::F32)),
        format!("{name} \"v\": has 5 dimensions; at most 4 are possible")
    );
    assert_eq!(
        message(writer.tensor("v", &[1], DType::F8E4M3)),
        format!("{name} \"v\": GGUF has no type F8_E4M3")
    );
    assert_eq!(
        message(writer.tensor("v", &[2, 33], DType::Q4_0)),
        format!("{name} \"v\": rows of 33 elements cannot be Q4_0, which comes in blocks of 32")
    );
    writer.tensor("v", &[1], DType::F32).unwrap();

    let mut body = writer.start(Vec::new()).unwrap();
    let message = |r: std::io::Result<()>| r.unwrap_err().to_string();
    assert_eq!(message(body.write("v", &[0; 4])), "tensor \"v\" is not next: \"w\" lacks 36 bytes");
    body.write("w", &[0; 20]).unwrap();
    assert_eq!(message(body.write("w", &[0; 17])), "tensor \"w\": 17 bytes given, 16 left to write");
    body.write("w", &[0; 16]).unwrap();
    body.write("v", &[0; 4]).unwrap();
    assert_eq!(message(body.write("v", &[0; 1])), "tensor \"v\": all announced tensors are written");

    let mut writer = gguf::Writer::new();
    writer.tensor("w", &[2], DType::F32).unwrap();
    let body = writer.start(Vec::new()).unwrap();
    assert_eq!(body.finish().map(drop).unwrap_err().to_string(), "tensor \"w\" lacks 8 bytes");
}

#[test]
fn setting_a_key_again_replaces_it() {
    let mut writer = gguf::Writer::new();
    writer.metadata("a", 1u32);
    writer.metadata("general.alignment", 4096u32);
    writer.metadata("b", 2u32);
    writer.metadata("a", "three");
    let file = open_gguf(write(writer, &[])).unwrap();
    let pairs: Vec<String> = file.metadata().iter().map(|(k, v)| format!("{k} {v}")).collect();
    assert_eq!(pairs, ["a string \"three\"", "b u32 2"]);
}

#[test]
fn version_2_and_other_alignments_are_read() {
    let file = Raw(b"GGUF".to_vec()).u32(2).u64(1).u64(1);
    let mut file = file.str("general.alignment").u32(4).u32(128).tensor("w", &[2], 0, 128).0;
    file.resize(128 + 128, 0);
    file.extend([1, 2, 3, 4, 5, 6, 7, 8]);
    let file = open_gguf(file).unwrap();
    let t = file.tensor("w").unwrap();
    assert_eq!(t.offset, 256);
    assert_eq!(block_on(file.read_rows(t, 0..1)).unwrap(), [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_large_header_is_read_once_in_growing_pieces_and_the_data_not_at_all() {
    let tokens: Vec<String> = (0..200_000).map(|i| format!("token {i}")).collect();
    let mut writer = gguf::Writer::new();
    writer.metadata("tokenizer.ggml.tokens", tokens.iter().collect::<Array>());
    writer.metadata("after", 1u32);
    writer.tensor("w", &[1 << 20], DType::F32).unwrap();
    let file = write(writer, &[("w", &vec![0; 4 << 20])]);
    let header_len = (file.len() - (4 << 20)) as u64;

    let (watched, reads) = Watched::new("model.gguf", file);
    let file = block_on(Checkpoint::open_gguf(vec![Arc::new(watched)])).unwrap();
    let strings = file.metadata().get_strings("tokenizer.ggml.tokens").unwrap().unwrap();
    assert!(strings.iter().eq(tokens.iter()));
    assert_eq!(file.metadata().get_u64("after").unwrap(), Some(1));

    let reads = reads.lock().unwrap();
    assert!(reads.len() >= 3, "{reads:?}");
    assert_eq!(reads[0], 0..1 << 20);
    assert!(reads.windows(2).all(|w| w[0].end == w[1].start), "{reads:?}");
    assert!(reads.last().unwrap().end < 2 * header_len, "{reads:?}");
}

#[test]
fn other_files_are_told_from_gguf() {
    let prefix = "model.gguf: ";
    assert_eq!(
        message(open_gguf(b"PK\x03\x04 something else".to_vec())),
        format!("{prefix}not a GGUF file: it starts with \"PK\\x03\\x04\" instead of \"GGUF\"")
    );
    assert_eq!(
        message(open_gguf(b"GG".to_vec())),
        format!(
            "{prefix}the file is cut off or damaged: a number at byte 0 has 4 bytes, but only 2 are left"
        )
    );
    assert!(message(open_gguf(Vec::new())).starts_with(prefix));
    let with_version = |v: u32| Raw(b"GGUF".to_vec()).u32(v).u64(0).u64(0).error();
    assert_eq!(
        with_version(1),
        format!("{prefix}GGUF version 1 is not supported; convert the model again with current tools")
    );
    assert_eq!(with_version(4), format!("{prefix}GGUF version 4 is not supported, only 2 and 3"));
    assert_eq!(with_version(0), format!("{prefix}GGUF version 0 is not supported, only 2 and 3"));
    assert_eq!(
        with_version(3u32.swap_bytes()),
        format!("{prefix}this is a big-endian GGUF file; only little-endian ones are supported")
    );
    assert_eq!(message(block_on(Checkpoint::open_gguf(vec![]))), "GGUF: no files given");
}

#[test]
fn counts_and_lengths_that_lie_are_refused_before_anything_is_allocated() {
    let cut = "model.gguf: the file is cut off or damaged: ";
    assert_eq!(
        Raw::new(u64::MAX, 0).error(),
        format!("{cut}it claims 18446744073709551615 tensors, but only 0 bytes are left")
    );
    assert_eq!(
        Raw::new(0, 1 << 40).error(),
        format!("{cut}it claims 1099511627776 metadata keys, but only 0 bytes are left")
    );
    assert_eq!(
        Raw::new(0, 1).u64(1 << 60).bytes(&[0; 20]).error(),
        format!("{cut}a metadata key at byte 32 has 1152921504606846976 bytes, but only 20 are left")
    );
    let in_key = "model.gguf: metadata key \"k\": the file is cut off or damaged: ";
    let array =
        |kind: u32, count: u64| Raw::new(0, 1).str("k").u32(9).u32(kind).u64(count).bytes(&[0; 16]).error();
    assert_eq!(
        array(8, u64::MAX / 4),
        format!("{in_key}it claims 4611686018427387903 strings, but only 16 bytes are left")
    );
    assert_eq!(
        array(4, 1 << 62),
        format!("{in_key}it claims 4611686018427387904 elements, but only 16 bytes are left")
    );
    assert_eq!(array(0, 17), format!("{in_key}it claims 17 elements, but only 16 bytes are left"));
    assert_eq!(array(9, 2), format!("{in_key}it claims 2 arrays, but only 16 bytes are left"));
}

/// A file of a tebibyte whose bytes are `head` and then zeros.
struct Endless(Vec<u8>);

#[async_trait::async_trait(?Send)]
impl ByteSource for Endless {
    fn name(&self) -> &str {
        "endless"
    }

    fn len(&self) -> u64 {
        1 << 40
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, Error> {
        assert!(range.end <= 2 << 20, "{range:?} was read");
        let mut bytes = self.0.clone();
        bytes.resize(range.end as usize, 0);
        Ok(bytes[range.start as usize..].to_vec())
    }
}

#[test]
fn what_a_huge_file_could_hold_but_no_header_has_is_not_read() {
    let open = |raw: Raw| message(block_on(Checkpoint::open_gguf(vec![Arc::new(Endless(raw.0))])));
    let large = "the header is larger than 256 MiB";
    assert_eq!(open(Raw::new(1 << 34, 0)), format!("endless: {large}"));
    assert_eq!(open(Raw::new(0, 1 << 34)), format!("endless: {large}"));
    assert_eq!(open(Raw::new(0, 1).u64(1 << 30)), format!("endless: {large}"));
    let key = || Raw::new(0, 1).str("k");
    let in_key = format!("endless: metadata key \"k\": {large}");
    assert_eq!(open(key().u32(8).u64(1 << 39)), in_key);
    assert_eq!(open(key().u32(9).u32(0).u64(1 << 39)), in_key);
    assert_eq!(open(key().u32(9).u32(8).u64(1 << 35)), in_key);
}

#[test]
fn every_truncation_is_an_error() {
    let mut writer = gguf::Writer::new();
    writer.metadata("tokens", ["a", "b"].into_iter().collect::<Array>());
    writer.metadata("n", 3u32);
    writer.tensor("w", &[3, 2], DType::F32).unwrap();
    let file = write(writer, &[("w", &[7; 24])]);
    // Behind the tensor there is padding only.
    let end = file.len() - 8;
    assert!(open_gguf(file[..end].to_vec()).is_ok());
    for cut in 0..end {
        let text = message(open_gguf(file[..cut].to_vec()));
        assert!(text.contains("cut off"), "cut at {cut}: {text}");
    }
}

#[test]
fn damaged_metadata_is_refused() {
    let one = || Raw::new(0, 1);
    assert_eq!(
        one().u64(2).bytes(&[0xFF, 0xFE]).u32(0).bytes(&[0; 9]).error(),
        "model.gguf: a metadata key at byte 32 is not valid UTF-8"
    );
    assert_eq!(
        one().str("k").u32(8).u64(1).bytes(&[0x80]).error(),
        "model.gguf: metadata key \"k\": the value at byte 45 is not valid UTF-8"
    );
    assert_eq!(
        one().str("k").u32(13).bytes(&[0; 8]).error(),
        "model.gguf: metadata key \"k\": unknown value type 13; the file is newer than this program, or damaged"
    );
    assert_eq!(
        one().str("k").u32(7).bytes(&[2]).error(),
        "model.gguf: metadata key \"k\": a bool must be 0 or 1, but it is 2"
    );
    assert_eq!(
        Raw::new(0, 2).str("k").u32(0).bytes(&[1]).str("k").u32(0).bytes(&[1]).error(),
        "model.gguf: the metadata key \"k\" occurs twice"
    );
    let deep = (0..5).fold(one().str("k").u32(9), |raw, _| raw.u32(9).u64(1));
    assert_eq!(
        deep.bytes(&[0; 64]).error(),
        "model.gguf: metadata key \"k\": arrays are nested deeper than 4"
    );
    let align = |v: u32| one().str("general.alignment").u32(4).u32(v).error();
    assert_eq!(align(24), "model.gguf: general.alignment is 24, but it must be a power of two");
    assert_eq!(align(0), "model.gguf: general.alignment is 0, but it must be a power of two");
    assert_eq!(
        one().str("general.alignment").u32(8).str("x").error(),
        "metadata key \"general.alignment\" should be an integer that is not negative, but it is string \"x\""
    );
}

#[test]
fn damaged_tensors_are_refused_by_name() {
    let one = |dims: &[u64], type_id: u32, offset: u64| {
        let bytes = Raw::new(1, 0).tensor("w", dims, type_id, offset).data(64);
        message(open_gguf(bytes))
    };
    let w = "model.gguf: tensor \"w\": ";
    assert_eq!(
        one(&[4], 99, 0),
        format!("{w}unknown ggml type 99; the file is newer than this program, or damaged")
    );
    // A type that ggml has removed.
    assert_eq!(
        one(&[32], 31, 0),
        format!("{w}unknown ggml type 31; the file is newer than this program, or damaged")
    );
    assert_eq!(
        one(&[1, 1, 1, 1, 1], 0, 0),
        "model.gguf: tensor \"w\" has 5 dimensions; at most 4 are possible"
    );
    assert_eq!(one(&[4], 0, 8), format!("{w}its offset 8 is not a multiple of the alignment 32"));
    assert_eq!(
        one(&[4], 0, u64::MAX - 31),
        format!("{w}its offset 18446744073709551584 lies beyond any file")
    );
    assert_eq!(
        one(&[48], 2, 0),
        format!("{w}rows of 48 elements cannot be Q4_0, which comes in blocks of 32")
    );
    assert_eq!(
        one(&[1 << 40, 1 << 40], 0, 0),
        format!("{w}the shape [1099511627776, 1099511627776] is too large for this machine")
    );
    assert_eq!(
        one(&[0, u64::MAX, u64::MAX], 0, 0),
        format!("{w}the shape [18446744073709551615, 18446744073709551615, 0] is too large for this machine")
    );
    assert_eq!(
        one(&[17], 0, 0),
        format!(
            "{w}the file is cut off or damaged: 68 bytes from byte 64 on are needed, but the file ends at 128"
        )
    );
    assert_eq!(
        one(&[4], 0, 64 + 32),
        format!(
            "{w}the file is cut off or damaged: 16 bytes from byte 160 on are needed, but the file ends at 128"
        )
    );

    let two = |second: &str, offset: u64| {
        let raw = Raw::new(2, 0).tensor("a", &[16], 0, 0);
        message(open_gguf(raw.tensor(second, &[4], 0, offset).data(128)))
    };
    assert_eq!(two("b", 32), "model.gguf: tensor \"b\": its bytes overlap with those of \"a\"");
    assert_eq!(two("a", 64), "model.gguf: tensor \"a\": occurs twice");
}

/// The parts of a model of three tensors split over `count` files.
fn split(count: u16, n_tensors: i32) -> Vec<Vec<u8>> {
    (0..count)
        .map(|no| {
            let mut writer = gguf::Writer::new();
            writer.metadata("split.no", no);
            writer.metadata("split.count", count);
            writer.metadata("split.tensors.count", n_tensors);
            if no == 0 {
                writer.metadata("general.architecture", "qwen3");
            }
            let name = format!("w{no}");
            writer.tensor(&name, &[1], DType::F32).unwrap();
            write(writer, &[(&name, &[no as u8; 4])])
        })
        .collect()
}

fn open_parts(parts: &[Vec<u8>], order: &[usize]) -> Result<Checkpoint, Error> {
    let sources = order.iter().map(|&i| source(&format!("part {}", i + 1), parts[i].clone()));
    block_on(Checkpoint::open_gguf(sources.collect()))
}

#[test]
fn split_files_are_joined_in_any_order() {
    let parts = split(3, 3);
    let file = open_parts(&parts, &[2, 0, 1]).unwrap();
    assert_eq!(file.metadata().get_str("general.architecture").unwrap(), Some("qwen3"));
    let names: Vec<&str> = file.tensors().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["w0", "w1", "w2"]);
    let t = file.tensor("w2").unwrap();
    assert_eq!(t.source, 0);
    assert_eq!(block_on(file.read_rows(t, 0..1)).unwrap(), [2; 4]);
}

#[test]
fn split_files_must_be_complete() {
    let parts = split(3, 3);
    assert_eq!(
        message(open_parts(&parts, &[1])),
        "part 2: this is part 2 of 3; all 3 files are needed, 1 given"
    );
    assert_eq!(
        message(open_parts(&parts, &[0, 1])),
        "part 1: this is part 1 of 3; all 3 files are needed, 2 given"
    );
    assert_eq!(message(open_parts(&parts, &[0, 1, 1])), "part 2: part 2 of 3 was given twice");
    assert_eq!(
        message(open_parts(&split(3, 4), &[0, 1, 2])),
        "part 1: split.tensors.count is 4, but the 3 files hold 3 tensors"
    );
    let whole = write(gguf::Writer::new(), &[]);
    assert_eq!(
        message(open_parts(&[whole.clone(), whole], &[0, 1])),
        "part 1: this file is complete by itself, but 2 files were given"
    );
    let mut writer = gguf::Writer::new();
    writer.metadata("split.no", 5u16);
    writer.metadata("split.count", 1u16);
    assert_eq!(message(open_gguf(write(writer, &[]))), "model.gguf: split.no is 5, but split.count is 1");
}

#[test]
fn a_merged_file_may_keep_its_split_keys() {
    let mut writer = gguf::Writer::new();
    writer.metadata("split.count", 0u16);
    assert!(open_gguf(write(writer, &[])).is_ok());
}

#[test]
fn a_source_that_returns_too_little_is_caught() {
    struct Short;

    #[async_trait::async_trait(?Send)]
    impl ByteSource for Short {
        fn name(&self) -> &str {
            "short"
        }

        fn len(&self) -> u64 {
            100
        }

        async fn read(&self, _: Range<u64>) -> Result<Vec<u8>, Error> {
            Ok(b"GGUF".to_vec())
        }
    }

    assert_eq!(
        message(block_on(Checkpoint::open_gguf(vec![Arc::new(Short)]))),
        "short: bytes 0..100 were asked for, and 4 came"
    );
}

#[test]
fn files_on_disk_are_read_by_range() {
    let path = std::env::temp_dir().join(format!("qwill-weights-{}.gguf", std::process::id()));
    let mut writer = gguf::Writer::new();
    writer.tensor("w", &[2, 2], DType::F32).unwrap();
    let bytes: Vec<u8> = (0..16).collect();
    std::fs::write(&path, write(writer, &[("w", &bytes)])).unwrap();
    let file = qwill_weights::FileSource::open(&path).unwrap();
    assert_eq!(file.path(), path);
    let len = file.len();
    assert_eq!(
        message(block_on(file.read(len - 1..len + 1))),
        format!(
            "{}: bytes {}..{} were asked for, but the file has only {len} bytes",
            path.display(),
            len - 1,
            len + 1
        )
    );
    let file = block_on(Checkpoint::open_gguf(vec![Arc::new(file)])).unwrap();
    let rows = block_on(file.read_rows(file.tensor("w").unwrap(), 1..2)).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(rows, bytes[8..]);

    let gone = message(qwill_weights::FileSource::open(&path));
    assert!(gone.starts_with(&path.display().to_string()), "{gone}");
    assert!(qwill_weights::FileSource::open(std::env::temp_dir()).is_err());
}
