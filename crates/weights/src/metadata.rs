use std::collections::HashMap;
use std::fmt;

use crate::Error;

/// One value of a GGUF key.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the variants are the value types of the GGUF specification")]
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(String),
    Array(Array),
    U64(u64),
    I64(i64),
    F64(f64),
}

/// The numbers that GGUF gives its value types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    String = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

impl Kind {
    pub(crate) fn from_id(id: u32) -> Option<Self> {
        const KINDS: [Kind; 13] = [
            Kind::U8,
            Kind::I8,
            Kind::U16,
            Kind::I16,
            Kind::U32,
            Kind::I32,
            Kind::F32,
            Kind::Bool,
            Kind::String,
            Kind::Array,
            Kind::U64,
            Kind::I64,
            Kind::F64,
        ];
        KINDS.get(id as usize).copied()
    }

    /// Bytes of one value, or `None` where the length varies.
    pub(crate) fn size(self) -> Option<usize> {
        match self {
            Self::U8 | Self::I8 | Self::Bool => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::String | Self::Array => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::U16 => "u16",
            Self::I16 => "i16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::F32 => "f32",
            Self::Bool => "bool",
            Self::String => "string",
            Self::Array => "array",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F64 => "f64",
        }
    }

    /// Reads one scalar; `bytes` has [`Kind::size`] bytes. `None` for strings and arrays.
    pub(crate) fn scalar(self, bytes: &[u8]) -> Option<Value> {
        fn le<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
            bytes.try_into().ok()
        }
        Some(match self {
            Self::U8 => Value::U8(le::<1>(bytes)?[0]),
            Self::I8 => Value::I8(i8::from_le_bytes(le(bytes)?)),
            Self::U16 => Value::U16(u16::from_le_bytes(le(bytes)?)),
            Self::I16 => Value::I16(i16::from_le_bytes(le(bytes)?)),
            Self::U32 => Value::U32(u32::from_le_bytes(le(bytes)?)),
            Self::I32 => Value::I32(i32::from_le_bytes(le(bytes)?)),
            Self::F32 => Value::F32(f32::from_le_bytes(le(bytes)?)),
            Self::Bool => Value::Bool(le::<1>(bytes)?[0] != 0),
            Self::U64 => Value::U64(u64::from_le_bytes(le(bytes)?)),
            Self::I64 => Value::I64(i64::from_le_bytes(le(bytes)?)),
            Self::F64 => Value::F64(f64::from_le_bytes(le(bytes)?)),
            Self::String | Self::Array => return None,
        })
    }
}

impl Value {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::U8(_) => Kind::U8,
            Self::I8(_) => Kind::I8,
            Self::U16(_) => Kind::U16,
            Self::I16(_) => Kind::I16,
            Self::U32(_) => Kind::U32,
            Self::I32(_) => Kind::I32,
            Self::F32(_) => Kind::F32,
            Self::Bool(_) => Kind::Bool,
            Self::String(_) => Kind::String,
            Self::Array(_) => Kind::Array,
            Self::U64(_) => Kind::U64,
            Self::I64(_) => Kind::I64,
            Self::F64(_) => Kind::F64,
        }
    }

    /// The value as an integer, whatever its width; `None` if it is not one.
    fn as_int(&self) -> Option<i128> {
        Some(match *self {
            Self::U8(v) => v.into(),
            Self::I8(v) => v.into(),
            Self::U16(v) => v.into(),
            Self::I16(v) => v.into(),
            Self::U32(v) => v.into(),
            Self::I32(v) => v.into(),
            Self::U64(v) => v.into(),
            Self::I64(v) => v.into(),
            Self::F32(_) | Self::F64(_) | Self::Bool(_) | Self::String(_) | Self::Array(_) => {
                return None;
            }
        })
    }

    /// The value as a float: a float of either width, or an integer.
    fn as_float(&self) -> Option<f64> {
        match *self {
            Self::F32(v) => Some(v.into()),
            Self::F64(v) => Some(v),
            _ => self.as_int().map(|v| v as f64),
        }
    }
}

/// Type and value in a few words, for messages and listings: long strings and arrays are cut.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind().name();
        match self {
            Self::U8(v) => write!(f, "{kind} {v}"),
            Self::I8(v) => write!(f, "{kind} {v}"),
            Self::U16(v) => write!(f, "{kind} {v}"),
            Self::I16(v) => write!(f, "{kind} {v}"),
            Self::U32(v) => write!(f, "{kind} {v}"),
            Self::I32(v) => write!(f, "{kind} {v}"),
            Self::F32(v) => write!(f, "{kind} {v}"),
            Self::Bool(v) => write!(f, "{kind} {v}"),
            Self::U64(v) => write!(f, "{kind} {v}"),
            Self::I64(v) => write!(f, "{kind} {v}"),
            Self::F64(v) => write!(f, "{kind} {v}"),
            Self::String(v) => match v.char_indices().nth(60) {
                Some((cut, _)) => write!(f, "{kind} {:?}…", &v[..cut]),
                None => write!(f, "{kind} {v:?}"),
            },
            Self::Array(v) => write!(f, "array of {} {}", v.len(), v.kind().name()),
        }
    }
}

macro_rules! value_from {
    ($($t:ty => $variant:ident),*) => {$(
        impl From<$t> for Value {
            fn from(v: $t) -> Self {
                Self::$variant(v)
            }
        }
    )*};
}
value_from!(u8 => U8, i8 => I8, u16 => U16, i16 => I16, u32 => U32, i32 => I32, f32 => F32,
    bool => Bool, String => String, u64 => U64, i64 => I64, f64 => F64, Array => Array);

impl From<&str> for Value {
    fn from(v: &str) -> Self {
        Self::String(v.to_owned())
    }
}

/// An array of a GGUF key, kept about as compactly as in the file: a tokenizer has hundreds of
/// thousands of entries.
#[derive(Clone, Debug, PartialEq)]
pub struct Array(pub(crate) Items);

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Items {
    /// Numbers or truth values as in the file: little endian, `kind.size()` bytes each.
    Scalars {
        kind: Kind,
        bytes: Vec<u8>,
    },
    Strings(Strings),
    Arrays(Vec<Array>),
}

/// Many strings in one allocation.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Strings {
    text: String,
    /// Where each string ends in `text`.
    ends: Vec<usize>,
}

impl Strings {
    pub(crate) fn push(&mut self, s: &str) {
        self.text.push_str(s);
        self.ends.push(self.text.len());
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.text[start..end])
    }
}

impl Array {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match &self.0 {
            Items::Scalars { kind, bytes } => bytes.len() / kind.size().unwrap_or(1),
            Items::Strings(strings) => strings.ends.len(),
            Items::Arrays(arrays) => arrays.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn kind(&self) -> Kind {
        match &self.0 {
            Items::Scalars { kind, .. } => *kind,
            Items::Strings(_) => Kind::String,
            Items::Arrays(_) => Kind::Array,
        }
    }

    /// The elements one by one. Strings and inner arrays are copied.
    pub fn values(&self) -> Box<dyn Iterator<Item = Value> + '_> {
        match &self.0 {
            Items::Scalars { kind, bytes } => {
                Box::new(bytes.chunks_exact(kind.size().unwrap_or(1)).filter_map(|chunk| kind.scalar(chunk)))
            }
            Items::Strings(strings) => Box::new(strings.iter().map(Value::from)),
            Items::Arrays(arrays) => Box::new(arrays.iter().cloned().map(Value::Array)),
        }
    }
}

macro_rules! array_from {
    ($($t:ty => $kind:ident),*) => {$(
        impl From<&[$t]> for Array {
            fn from(values: &[$t]) -> Self {
                Self(Items::Scalars {
                    kind: Kind::$kind,
                    bytes: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
                })
            }
        }
    )*};
}
array_from!(u8 => U8, i8 => I8, u16 => U16, i16 => I16, u32 => U32, i32 => I32, f32 => F32,
    u64 => U64, i64 => I64, f64 => F64);

impl From<&[bool]> for Array {
    fn from(values: &[bool]) -> Self {
        Self(Items::Scalars { kind: Kind::Bool, bytes: values.iter().map(|&v| v.into()).collect() })
    }
}

impl From<Vec<Array>> for Array {
    fn from(values: Vec<Array>) -> Self {
        Self(Items::Arrays(values))
    }
}

impl<S: AsRef<str>> FromIterator<S> for Array {
    fn from_iter<I: IntoIterator<Item = S>>(iter: I) -> Self {
        let mut strings = Strings::default();
        for s in iter {
            strings.push(s.as_ref());
        }
        Self(Items::Strings(strings))
    }
}

/// The key/value pairs of a GGUF file, in the order of the file.
///
/// The getters return `None` for a key that is not there, and [`Error::KeyType`] for one that
/// holds something else. Integers of every width answer to [`get_u64`](Self::get_u64) and
/// [`get_i64`](Self::get_i64): converters do not agree on widths.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    entries: Vec<(String, Value)>,
    by_key: HashMap<String, usize>,
}

impl Metadata {
    /// Adds a pair. A key that is already there keeps its place and is given back as the error.
    pub(crate) fn insert(&mut self, key: String, value: Value) -> Result<(), String> {
        match self.by_key.entry(key) {
            std::collections::hash_map::Entry::Occupied(entry) => Err(entry.key().clone()),
            std::collections::hash_map::Entry::Vacant(entry) => {
                self.entries.push((entry.key().clone(), value));
                entry.insert(self.entries.len() - 1);
                Ok(())
            }
        }
    }

    /// Sets a key, in its old place if it is already there.
    pub(crate) fn set(&mut self, key: String, value: Value) {
        match self.by_key.get(&key) {
            Some(&i) => self.entries[i].1 = value,
            None => {
                self.by_key.insert(key.clone(), self.entries.len());
                self.entries.push((key, value));
            }
        }
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All pairs in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The value of a key, whatever its type.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.by_key.get(key).map(|&i| &self.entries[i].1)
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &'static str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match convert(value) {
            Some(v) => Ok(Some(v)),
            None => Err(Error::KeyType { key: key.to_owned(), expected, found: value.to_string() }),
        }
    }

    fn array<T>(
        &self,
        key: &str,
        expected: &'static str,
        convert: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<Vec<T>>, Error> {
        self.typed(key, expected, |value| match value {
            // An inner array or string could not become a number; do not copy it to find out.
            Value::Array(array) if matches!(array.0, Items::Scalars { .. }) => {
                array.values().map(|v| convert(&v)).collect()
            }
            Value::Array(array) if array.is_empty() => Some(Vec::new()),
            _ => None,
        })
    }

    /// An integer that is not negative.
    ///
    /// # Errors
    /// [`Error::KeyType`] if the key holds anything else.
    pub fn get_u64(&self, key: &str) -> Result<Option<u64>, Error> {
        self.typed(key, "an integer that is not negative", |v| v.as_int()?.try_into().ok())
    }

    /// An integer.
    ///
    /// # Errors
    /// [`Error::KeyType`] if the key holds anything else.
    pub fn get_i64(&self, key: &str) -> Result<Option<i64>, Error> {
        self.typed(key, "an integer", |v| v.as_int()?.try_into().ok())
    }

    /// A number; integers are converted.
    ///
    /// # Errors
    /// [`Error::KeyType`] if the key holds anything else.
    pub fn get_f64(&self, key: &str) -> Result<Option<f64>, Error> {
        self.typed(key, "a number", Value::as_float)
    }

    /// A truth value.
    ///
    /// # Errors
    /// [`Error::KeyType`] if the key holds anything else.
    pub fn get_bool(&self, key: &str) -> Result<Option<bool>, Error> {
        self.typed(key, "a bool", |v| match v {
            Value::Bool(v) => Some(*v),
            _ => None,
        })
    }

    /// A string.
    ///
    /// # Errors
    /// [`Error::KeyType`] if the key holds anything else.
    pub fn get_str(&self, key: &str) -> Result<Option<&str>, Error> {
        self.typed(key, "a string", |v| match v {
            Value::String(v) => Some(v.as_str()),
            _ => None,
        })
    }

    /// An array of strings.
    ///
    /// # Errors
    /// [`Error::KeyType`] if the key holds anything else.
    pub fn get_strings(&self, key: &str) -> Result<Option<Vec<&str>>, Error> {
        self.typed(key, "an array of strings", |v| match v {
            Value::Array(Array(Items::Strings(strings))) => Some(strings.iter().collect()),
            Value::Array(array) if array.is_empty() => Some(Vec::new()),
            _ => None,
        })
    }

    /// An array of integers of any width whose values fit `i32`.
    ///
    /// # Errors
    /// [`Error::KeyType`] if the key holds anything else.
    pub fn get_i32s(&self, key: &str) -> Result<Option<Vec<i32>>, Error> {
        self.array(key, "an array of integers that fit 32 bits", |v| v.as_int()?.try_into().ok())
    }

    /// An array of integers that are not negative.
    ///
    /// # Errors
    /// [`Error::KeyType`] if the key holds anything else.
    pub fn get_u64s(&self, key: &str) -> Result<Option<Vec<u64>>, Error> {
        self.array(key, "an array of integers that are not negative", |v| v.as_int()?.try_into().ok())
    }

    /// An array of numbers; integers are converted.
    ///
    /// # Errors
    /// [`Error::KeyType`] if the key holds anything else.
    pub fn get_f64s(&self, key: &str) -> Result<Option<Vec<f64>>, Error> {
        self.array(key, "an array of numbers", Value::as_float)
    }

    /// An array of truth values.
    ///
    /// # Errors
    /// [`Error::KeyType`] if the key holds anything else.
    pub fn get_bools(&self, key: &str) -> Result<Option<Vec<bool>>, Error> {
        self.array(key, "an array of bools", |v| match v {
            Value::Bool(v) => Some(*v),
            _ => None,
        })
    }
}
