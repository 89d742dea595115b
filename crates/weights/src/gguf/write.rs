use std::collections::HashSet;
use std::io;

use super::{DEFAULT_ALIGNMENT, MAX_DIMS};
use crate::metadata::{Array, Items, Value};
use crate::{DType, Error, Metadata, TensorInfo};

/// Writes a GGUF version 3 file front to back, so that it never has to fit into memory.
///
/// First everything is announced ([`metadata`](Self::metadata), [`tensor`](Self::tensor)), then
/// [`start`](Self::start) writes the header, then the tensors' bytes follow in the order they were
/// announced.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use qwill_weights::{DType, gguf};
///
/// let mut writer = gguf::Writer::new();
/// writer.metadata("general.architecture", "qwen3");
/// writer.tensor("output_norm.weight", &[2], DType::F32)?;
/// let mut file = Vec::new();
/// let mut body = writer.start(&mut file)?;
/// body.write("output_norm.weight", bytemuck::bytes_of(&[1.0f32, 0.5]))?;
/// body.finish()?;
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Writer {
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
    names: HashSet<String>,
}

impl Writer {
    /// Starts with nothing announced.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key. Setting it again replaces the value. `general.alignment` is left at its default
    /// of 32 bytes whatever is set here.
    pub fn metadata(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        let key = key.into();
        if key != "general.alignment" {
            self.metadata.set(key, value.into());
        }
    }

    /// Announces a tensor. `shape` is slowest dimension first, as in [`TensorInfo`]: `[out, in]`.
    ///
    /// # Errors
    /// [`Error::Tensor`] if the name is taken, the shape has more than four dimensions, GGUF
    /// has no such type, or the rows are not whole blocks.
    pub fn tensor(&mut self, name: &str, shape: &[usize], dtype: DType) -> Result<(), Error> {
        let error = |reason: String| Error::tensor("new GGUF file", name, reason);
        if self.names.contains(name) {
            return Err(error("announced twice".to_owned()));
        }
        if shape.len() > MAX_DIMS {
            return Err(error(format!("has {} dimensions; at most {MAX_DIMS} are possible", shape.len())));
        }
        if dtype.gguf_id().is_none() {
            return Err(error(format!("GGUF has no type {dtype}")));
        }
        let offset = self.tensors.last().map_or(0, end_padded);
        let dims: Vec<u64> = shape.iter().map(|&d| d as u64).collect();
        let info = TensorInfo::checked(name, &dims, dtype, 0, offset).map_err(error)?;
        self.names.insert(name.to_owned());
        self.tensors.push(info);
        Ok(())
    }

    /// Writes the header and goes over to the tensors' bytes.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn start<W: io::Write>(self, mut out: W) -> io::Result<Body<W>> {
        let mut header = Vec::new();
        header.extend(b"GGUF");
        header.extend(3u32.to_le_bytes());
        header.extend((self.tensors.len() as u64).to_le_bytes());
        header.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in self.metadata.iter() {
            put_str(&mut header, key);
            header.extend((value.kind() as u32).to_le_bytes());
            put_value(&mut header, value);
        }
        for tensor in &self.tensors {
            put_str(&mut header, &tensor.name);
            header.extend((tensor.shape.len() as u32).to_le_bytes());
            for &dim in tensor.shape.iter().rev() {
                header.extend((dim as u64).to_le_bytes());
            }
            let id = tensor
                .dtype
                .gguf_id()
                .ok_or_else(|| io::Error::other(format!("GGUF has no type {}", tensor.dtype)))?;
            header.extend(id.to_le_bytes());
            header.extend(tensor.offset.to_le_bytes());
        }
        header.resize(header.len().next_multiple_of(DEFAULT_ALIGNMENT as usize), 0);
        out.write_all(&header)?;
        Ok(Body { out, tensors: self.tensors, current: 0, written: 0 })
    }
}

fn end_padded(tensor: &TensorInfo) -> u64 {
    (tensor.offset + tensor.byte_len).next_multiple_of(DEFAULT_ALIGNMENT)
}

fn put_str(out: &mut Vec<u8>, s: &str) {
    out.extend((s.len() as u64).to_le_bytes());
    out.extend(s.as_bytes());
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::U8(v) => out.push(*v),
        Value::I8(v) => out.extend(v.to_le_bytes()),
        Value::U16(v) => out.extend(v.to_le_bytes()),
        Value::I16(v) => out.extend(v.to_le_bytes()),
        Value::U32(v) => out.extend(v.to_le_bytes()),
        Value::I32(v) => out.extend(v.to_le_bytes()),
        Value::F32(v) => out.extend(v.to_le_bytes()),
        Value::Bool(v) => out.push((*v).into()),
        Value::String(v) => put_str(out, v),
        Value::Array(v) => put_array(out, v),
        Value::U64(v) => out.extend(v.to_le_bytes()),
        Value::I64(v) => out.extend(v.to_le_bytes()),
        Value::F64(v) => out.extend(v.to_le_bytes()),
    }
}

fn put_array(out: &mut Vec<u8>, array: &Array) {
    out.extend((array.kind() as u32).to_le_bytes());
    out.extend((array.len() as u64).to_le_bytes());
    match &array.0 {
        Items::Scalars { bytes, .. } => out.extend(bytes),
        Items::Strings(strings) => strings.iter().for_each(|s| put_str(out, s)),
        Items::Arrays(arrays) => arrays.iter().for_each(|a| put_array(out, a)),
    }
}

/// The second half of writing a GGUF file: the tensors' bytes. Made by [`Writer::start`].
pub struct Body<W> {
    out: W,
    tensors: Vec<TensorInfo>,
    /// The tensor that is being written.
    current: usize,
    /// Bytes of it that have been written.
    written: u64,
}

impl<W: io::Write> Body<W> {
    /// The announced tensors; their offsets count from the end of the header.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// Writes the next bytes of the tensor `name`, in as many calls as the caller likes. The
    /// tensors come in the order in which they were announced.
    ///
    /// # Errors
    /// Those of the writer; [`io::ErrorKind::InvalidInput`] if another tensor is next, or has fewer
    /// bytes left.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.skip_complete()?;
        let invalid = |reason| Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        let Some(tensor) = self.tensors.get(self.current) else {
            return invalid(format!("tensor \"{name}\": all announced tensors are written"));
        };
        let left = tensor.byte_len - self.written;
        if tensor.name != name {
            return invalid(format!("tensor \"{name}\" is not next: \"{}\" lacks {left} bytes", tensor.name));
        }
        if bytes.len() as u64 > left {
            return invalid(format!("tensor \"{name}\": {} bytes given, {left} left to write", bytes.len()));
        }
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Pads after each tensor that is complete and goes on to the next.
    fn skip_complete(&mut self) -> io::Result<()> {
        while let Some(tensor) = self.tensors.get(self.current) {
            if self.written < tensor.byte_len {
                break;
            }
            let padding = end_padded(tensor) - tensor.offset - tensor.byte_len;
            self.out.write_all(&[0; DEFAULT_ALIGNMENT as usize][..padding as usize])?;
            self.current += 1;
            self.written = 0;
        }
        Ok(())
    }

    /// Ends the file and gives the writer back, flushed.
    ///
    /// # Errors
    /// Those of the writer; [`io::ErrorKind::InvalidInput`] if bytes are missing.
    pub fn finish(mut self) -> io::Result<W> {
        self.skip_complete()?;
        if let Some(tensor) = self.tensors.get(self.current) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("tensor \"{}\" lacks {} bytes", tensor.name, tensor.byte_len - self.written),
            ));
        }
        self.out.flush()?;
        Ok(self.out)
    }
}
