use std::sync::Arc;

use super::{DEFAULT_ALIGNMENT, MAX_DIMS};
use crate::metadata::{Array, Items, Kind, Metadata, Strings, Value};
use crate::source::{ByteSource, read_exactly};
use crate::tensor::TensorInfo;
use crate::{DType, Error};

/// A header beyond this is taken for damage: tokenizers need some 10 MB, and a browser tab could
/// not hold much more.
const MAX_HEADER: u64 = 256 << 20;

/// First read. Small models' headers fit whole.
const FIRST_READ: u64 = 1 << 20;

/// Arrays in arrays beyond this depth have no use, and would let a file exhaust the stack.
const MAX_ARRAY_DEPTH: usize = 4;

/// The smallest key/value pair: empty key, type, one byte.
const MIN_PAIR_BYTES: u64 = 8 + 4 + 1;

/// The smallest tensor description: empty name, no dimensions, type, offset.
const MIN_TENSOR_BYTES: u64 = 8 + 4 + 4 + 8;

/// What stands before the tensor data of one file.
pub(crate) struct Header {
    pub(crate) metadata: Metadata,
    /// In the order of the file; offsets are absolute and lie inside the file.
    pub(crate) tensors: Vec<TensorInfo>,
}

/// Reads and checks the header of one GGUF file. `source_index` goes into the tensors.
pub(crate) async fn read_header(source: &Arc<dyn ByteSource>, source_index: usize) -> Result<Header, Error> {
    let mut window = Window::new(Arc::clone(source));
    let (n_tensors, n_pairs) = window.item(preamble).await?;

    let mut metadata = Metadata::default();
    for _ in 0..n_pairs {
        let (key, value) = window.item(pair).await?;
        metadata.insert(key, value).map_err(|key| {
            Error::container(source.name(), format!("the metadata key \"{key}\" occurs twice"))
        })?;
    }

    let alignment = metadata.get_u64("general.alignment")?.unwrap_or(DEFAULT_ALIGNMENT);
    if !alignment.is_power_of_two() {
        return Err(Error::container(
            source.name(),
            format!("general.alignment is {alignment}, but it must be a power of two"),
        ));
    }

    let mut raw = Vec::new();
    for _ in 0..n_tensors {
        raw.push(window.item(tensor_info).await?);
    }

    let data_start = window.offset.checked_next_multiple_of(alignment).ok_or_else(|| {
        Error::container(source.name(), format!("general.alignment is {alignment}, beyond any file"))
    })?;
    let tensors = raw
        .iter()
        .map(|raw| locate(source, source_index, raw, data_start, alignment))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Header { metadata, tensors })
}

/// Checks one tensor description against the file.
fn locate(
    source: &Arc<dyn ByteSource>,
    source_index: usize,
    raw: &RawTensor,
    data_start: u64,
    alignment: u64,
) -> Result<TensorInfo, Error> {
    let fail = |reason: String| Err(Error::tensor(source.name(), &raw.name, reason));
    let Some(dtype) = DType::from_gguf_id(raw.type_id) else {
        return fail(format!(
            "unknown ggml type {}; the file is newer than this program, or damaged",
            raw.type_id
        ));
    };
    if !raw.offset.is_multiple_of(alignment) {
        return fail(format!("its offset {} is not a multiple of the alignment {alignment}", raw.offset));
    }
    let Some(offset) = data_start.checked_add(raw.offset) else {
        return fail(format!("its offset {} lies beyond any file", raw.offset));
    };
    let dims = &raw.dims[..raw.n_dims];
    TensorInfo::checked(&raw.name, dims, dtype, source_index, offset).or_else(fail)
}

struct RawTensor {
    name: String,
    /// Slowest first.
    dims: [u64; MAX_DIMS],
    n_dims: usize,
    type_id: u32,
    offset: u64,
}

fn preamble(cursor: &mut Cursor<'_>) -> Parsed<(u64, u64)> {
    let magic = cursor.array::<4>()?;
    if &magic != b"GGUF" {
        return Err(Stop::Bad(if &magic == b"FUGG" {
            "this is a big-endian GGUF file; only little-endian ones are supported".to_owned()
        } else {
            format!("not a GGUF file: it starts with \"{}\" instead of \"GGUF\"", magic.escape_ascii())
        }));
    }
    let version = cursor.u32()?;
    match version {
        2 | 3 => {}
        1 => {
            return Err(Stop::Bad(
                "GGUF version 1 is not supported; convert the model again with current tools".to_owned(),
            ));
        }
        v if v != 0 && v.swap_bytes() <= 0xFFFF => {
            return Err(Stop::Bad(
                "this is a big-endian GGUF file; only little-endian ones are supported".to_owned(),
            ));
        }
        v => {
            return Err(Stop::Bad(format!("GGUF version {v} is not supported, only 2 and 3")));
        }
    }
    let n_tensors = cursor.u64()?;
    let n_pairs = cursor.u64()?;
    cursor.claim(n_tensors, MIN_TENSOR_BYTES, "tensors")?;
    cursor.claim(n_pairs, MIN_PAIR_BYTES, "metadata keys")?;
    Ok((n_tensors, n_pairs))
}

fn pair(cursor: &mut Cursor<'_>) -> Parsed<(String, Value)> {
    let key = cursor.string("a metadata key")?.to_owned();
    let in_key = |stop| match stop {
        Stop::Bad(reason) => Stop::Bad(format!("metadata key \"{key}\": {reason}")),
        Stop::NeedMore => Stop::NeedMore,
    };
    let value = (|| {
        let kind = cursor.kind()?;
        value(cursor, kind)
    })()
    .map_err(in_key)?;
    Ok((key, value))
}

fn value(cursor: &mut Cursor<'_>, kind: Kind) -> Parsed<Value> {
    match kind {
        Kind::String => Ok(Value::String(cursor.string("the value")?.to_owned())),
        Kind::Array => Ok(Value::Array(array(cursor, 1)?)),
        _ => {
            let size = kind.size().unwrap_or(0);
            let bytes = cursor.take(size as u64, "the value")?;
            if kind == Kind::Bool && bytes[0] > 1 {
                return Err(Stop::Bad(format!("a bool must be 0 or 1, but it is {}", bytes[0])));
            }
            kind.scalar(bytes).ok_or_else(|| Stop::Bad("the value has no fixed size".to_owned()))
        }
    }
}

fn array(cursor: &mut Cursor<'_>, depth: usize) -> Parsed<Array> {
    if depth > MAX_ARRAY_DEPTH {
        return Err(Stop::Bad(format!("arrays are nested deeper than {MAX_ARRAY_DEPTH}")));
    }
    let kind = cursor.kind()?;
    let count = cursor.u64()?;
    Ok(Array(match kind {
        Kind::String => {
            cursor.claim(count, 8, "strings")?;
            let mut strings = Strings::default();
            for _ in 0..count {
                strings.push(cursor.string("a string of the array")?);
            }
            Items::Strings(strings)
        }
        Kind::Array => {
            cursor.claim(count, 12, "arrays")?;
            let mut arrays = Vec::new();
            for _ in 0..count {
                arrays.push(array(cursor, depth + 1)?);
            }
            Items::Arrays(arrays)
        }
        _ => {
            let size = kind.size().unwrap_or(1) as u64;
            cursor.claim(count, size, "elements")?;
            // `claim` has compared the product with the size of the file.
            let bytes = cursor.take(count * size, "the array")?.to_vec();
            Items::Scalars { kind, bytes }
        }
    }))
}

fn tensor_info(cursor: &mut Cursor<'_>) -> Parsed<RawTensor> {
    let name = cursor.string("a tensor name")?.to_owned();
    let n_dims = cursor.u32()? as usize;
    if n_dims > MAX_DIMS {
        return Err(Stop::Bad(format!(
            "tensor \"{name}\" has {n_dims} dimensions; at most {MAX_DIMS} are possible"
        )));
    }
    let mut dims = [0; MAX_DIMS];
    for dim in dims[..n_dims].iter_mut().rev() {
        *dim = cursor.u64()?;
    }
    Ok(RawTensor { name, dims, n_dims, type_id: cursor.u32()?, offset: cursor.u64()? })
}

type Parsed<T> = Result<T, Stop>;

/// Why parsing an item ended early.
enum Stop {
    /// The bytes read so far end inside the item; the file goes on.
    NeedMore,
    /// The file is wrong.
    Bad(String),
}

/// The part of the header that has been read and not yet parsed.
///
/// Items (the preamble, one pair, one tensor) are parsed from memory; where the bytes end inside
/// one, more are read, at least as many as there are, and that item is parsed again from its
/// start. So no byte is read twice, none beyond [`MAX_HEADER`], and parsing stays linear in the size of the header.
struct Window {
    source: Arc<dyn ByteSource>,
    bytes: Vec<u8>,
    /// Start of the unparsed rest in `bytes`.
    pos: usize,
    /// The same place in the file.
    offset: u64,
}

impl Window {
    fn new(source: Arc<dyn ByteSource>) -> Self {
        Self { source, bytes: Vec::new(), pos: 0, offset: 0 }
    }

    async fn item<T>(&mut self, parse: fn(&mut Cursor<'_>) -> Parsed<T>) -> Result<T, Error> {
        loop {
            let rest = &self.bytes[self.pos..];
            let mut cursor =
                Cursor { rest, left_in_file: self.source.len() - self.offset, offset: self.offset };
            match parse(&mut cursor) {
                Ok(item) => {
                    let parsed = rest.len() - cursor.rest.len();
                    self.pos += parsed;
                    self.offset += parsed as u64;
                    return Ok(item);
                }
                Err(Stop::NeedMore) => self.read_more().await?,
                Err(Stop::Bad(reason)) => {
                    return Err(Error::container(self.source.name(), reason));
                }
            }
        }
    }

    async fn read_more(&mut self) -> Result<(), Error> {
        self.bytes.drain(..self.pos);
        self.pos = 0;
        let unparsed = self.bytes.len() as u64;
        let start = self.offset + unparsed;
        let end = self.source.len().min(start + unparsed.max(FIRST_READ)).min(MAX_HEADER);
        let more = read_exactly(&*self.source, start..end).await?;
        self.bytes.extend_from_slice(&more);
        Ok(())
    }
}

/// Parses the bytes of a [`Window`].
struct Cursor<'a> {
    rest: &'a [u8],
    /// From the start of `rest` to the end of the file.
    left_in_file: u64,
    /// Where `rest` starts in the file.
    offset: u64,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, n: u64, what: &str) -> Parsed<&'a [u8]> {
        if n > self.left_in_file {
            return Err(Stop::Bad(format!(
                "the file is cut off or damaged: {what} at byte {} has {n} bytes, \
                 but only {} are left",
                self.offset, self.left_in_file
            )));
        }
        self.fits_header(n)?;
        // Bytes that are in memory can be counted with `usize`, whatever `n` is.
        match usize::try_from(n) {
            Ok(len) if len <= self.rest.len() => {
                let (taken, rest) = self.rest.split_at(len);
                self.rest = rest;
                self.left_in_file -= n;
                self.offset += n;
                Ok(taken)
            }
            _ => Err(Stop::NeedMore),
        }
    }

    /// Refuses a count of things that cannot all be in the rest of the file.
    fn claim(&self, count: u64, min_bytes: u64, what: &str) -> Parsed<()> {
        match count.checked_mul(min_bytes) {
            Some(bytes) if bytes <= self.left_in_file => self.fits_header(bytes),
            _ => Err(Stop::Bad(format!(
                "the file is cut off or damaged: it claims {count} {what}, \
                 but only {} bytes are left",
                self.left_in_file
            ))),
        }
    }

    /// Refuses what would make the header too large, before it is read.
    fn fits_header(&self, n: u64) -> Parsed<()> {
        if n <= MAX_HEADER.saturating_sub(self.offset) {
            Ok(())
        } else {
            Err(Stop::Bad(format!("the header is larger than {} MiB", MAX_HEADER >> 20)))
        }
    }

    fn array<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N as u64, "a number")?);
        Ok(out)
    }

    fn u32(&mut self) -> Parsed<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Parsed<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn kind(&mut self) -> Parsed<Kind> {
        let id = self.u32()?;
        Kind::from_id(id).ok_or_else(|| {
            Stop::Bad(format!("unknown value type {id}; the file is newer than this program, or damaged"))
        })
    }

    fn string(&mut self, what: &str) -> Parsed<&'a str> {
        let len = self.u64()?;
        let at = self.offset;
        std::str::from_utf8(self.take(len, what)?)
            .map_err(|_| Stop::Bad(format!("{what} at byte {at} is not valid UTF-8")))
    }
}
