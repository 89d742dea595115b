//! Safetensors: the JSON header of a file, and the index of a sharded model.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::source::{ByteSource, read_exactly};
use crate::tensor::TensorInfo;
use crate::{DType, Error};

/// The limit of the reference implementation.
const MAX_HEADER: u64 = 100_000_000;

/// Far above any model; keeps a shape made of ones from growing with the file.
const MAX_DIMS: usize = 8;

/// Reads and checks the header of one file. `source_index` goes into the tensors.
pub(crate) async fn read_header(
    source: &Arc<dyn ByteSource>,
    source_index: usize,
) -> Result<Vec<TensorInfo>, Error> {
    let fail = |reason: String| Error::container(source.name(), reason);
    let file_len = source.len();
    if file_len < 8 {
        return Err(fail(format!(
            "not a safetensors file: it has {file_len} bytes, and the header length alone takes 8"
        )));
    }
    let head = read_exactly(&**source, 0..8).await?;
    let head: [u8; 8] =
        head.try_into().map_err(|_| fail("the header length could not be read".to_owned()))?;
    if head.starts_with(b"GGUF") {
        return Err(fail("this is a GGUF file, not a safetensors file".to_owned()));
    }
    let header_len = u64::from_le_bytes(head);
    if header_len > MAX_HEADER {
        return Err(fail(format!(
            "not a safetensors file, or damaged: the header claims {header_len} bytes, \
             and at most {MAX_HEADER} are allowed"
        )));
    }
    let data_start = 8 + header_len;
    if data_start > file_len {
        return Err(fail(format!(
            "the file is cut off: the header ends at byte {data_start}, the file at {file_len}"
        )));
    }
    let json = read_exactly(&**source, 8..data_start).await?;
    let header: Unique<Entry> =
        serde_json::from_slice(&json).map_err(|e| fail(format!("bad header: {e}")))?;
    let mut tensors = Vec::with_capacity(header.0.len());
    for (name, entry) in header.0 {
        let Entry::Tensor(raw) = entry else { continue };
        tensors.push(locate(source, source_index, &name, &raw, data_start)?);
    }
    Ok(tensors)
}

/// Checks one entry of the header on its own; the file's end is checked by the checkpoint.
fn locate(
    source: &Arc<dyn ByteSource>,
    source_index: usize,
    name: &str,
    raw: &RawTensor,
    data_start: u64,
) -> Result<TensorInfo, Error> {
    let fail = |reason: String| Err(Error::tensor(source.name(), name, reason));
    let Some(dtype) = DType::from_safetensors(&raw.dtype) else {
        return fail(format!("unknown dtype \"{}\"", raw.dtype));
    };
    let [begin, end] = raw.data_offsets;
    let Some(len) = end.checked_sub(begin) else {
        return fail(format!("its data_offsets [{begin}, {end}] run backwards"));
    };
    let Some(offset) = data_start.checked_add(begin) else {
        return fail(format!("its data_offsets [{begin}, {end}] lie beyond any file"));
    };
    let info = TensorInfo::checked(name, &raw.shape.0, dtype, source_index, offset).or_else(fail)?;
    if info.byte_len != len {
        return fail(format!(
            "its data_offsets [{begin}, {end}] span {len} bytes, but {dtype} {:?} takes {}",
            info.shape, info.byte_len
        ));
    }
    Ok(info)
}

/// Which file holds which tensor, from `model.safetensors.index.json`.
pub(crate) fn read_index(json: &[u8]) -> Result<HashMap<String, String>, Error> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: Unique<String>,
    }
    let index: Index =
        serde_json::from_slice(json).map_err(|e| Error::container("safetensors index", e.to_string()))?;
    Ok(index.weight_map.0.into_iter().collect())
}

/// One entry of the header.
enum Entry {
    Tensor(RawTensor),
    /// `__metadata__`: strings that say nothing about the tensors.
    Metadata,
}

#[derive(serde::Deserialize)]
struct RawTensor {
    dtype: String,
    shape: Shape,
    data_offsets: [u64; 2],
}

/// A JSON object as pairs in their order, refusing keys that occur twice: with them, two readers
/// of one file can see different models.
struct Unique<V>(Vec<(String, V)>);

/// A value that may need to know its key.
trait FromEntry<'de>: Sized {
    fn next<A: MapAccess<'de>>(key: &str, map: &mut A) -> Result<Self, A::Error>;
}

impl<'de> FromEntry<'de> for String {
    fn next<A: MapAccess<'de>>(_: &str, map: &mut A) -> Result<Self, A::Error> {
        map.next_value()
    }
}

impl<'de> FromEntry<'de> for Entry {
    fn next<A: MapAccess<'de>>(key: &str, map: &mut A) -> Result<Self, A::Error> {
        if key == "__metadata__" {
            map.next_value::<IgnoredAny>().map(|_| Self::Metadata)
        } else {
            map.next_value()
                .map(Self::Tensor)
                .map_err(|e| A::Error::custom(format_args!("tensor \"{key}\": {e}")))
        }
    }
}

impl<'de, V: FromEntry<'de>> Deserialize<'de> for Unique<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<V>(PhantomData<V>);

        impl<'de, V: FromEntry<'de>> Visitor<'de> for Pairs<V> {
            type Value = Unique<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                let mut seen = std::collections::HashSet::new();
                while let Some(key) = map.next_key::<String>()? {
                    if !seen.insert(key.clone()) {
                        return Err(A::Error::custom(format_args!("\"{key}\" occurs twice")));
                    }
                    let value = V::next(&key, &mut map)?;
                    pairs.push((key, value));
                }
                Ok(Unique(pairs))
            }
        }

        deserializer.deserialize_map(Pairs(PhantomData))
    }
}

/// Dimensions, at most [`MAX_DIMS`].
struct Shape(Vec<u64>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Dims;

        impl<'de> Visitor<'de> for Dims {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an array of at most {MAX_DIMS} dimensions")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut dims = Vec::new();
                while let Some(dim) = seq.next_element()? {
                    if dims.len() == MAX_DIMS {
                        return Err(A::Error::invalid_length(MAX_DIMS + 1, &self));
                    }
                    dims.push(dim);
                }
                Ok(Shape(dims))
            }
        }

        deserializer.deserialize_seq(Dims)
    }
}
