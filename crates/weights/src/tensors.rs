//! A checkpoint as the matrices of a model, however many tensors it spreads each over.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::Value;

use crate::layout::{repack_into, size_streams};
use crate::packed::fp8::{Fp8, OpenFp8};
use crate::packed::grouped::{Grouped, OpenGrouped};
use crate::packed::{Quantization, error};
use crate::{Checkpoint, DType, Error, Layout, TensorInfo, block, dequantize, plain, quantize};

/// The tensors of a model under the names and shapes that its architecture gives them.
///
/// In a GPTQ or AWQ checkpoint there is no `P.weight` but `P.qweight`, `P.qzeros` and `P.scales`; an
/// FP8 checkpoint has `P.weight_scale_inv` beside `P.weight`. Here all of them have one `P.weight`,
/// as every other checkpoint does. What such a checkpoint leaves unquantised is a plain tensor.
///
/// Layers keep their quantised form on the device, with one exception: the layout is
/// [`Layout::F32`], eight times as large as 4 bits, where no other holds the values exactly. That is
/// so for GPTQ layers with `desc_act`, where the columns of a group are scattered over the row; for
/// groups that are no multiple of 32 inputs (128 in FP8); and for GPTQ and AWQ scales in f32.
#[derive(Clone, Copy)]
pub struct Tensors<'c> {
    checkpoint: &'c Checkpoint,
    quantization: Quantization,
    conversions: Option<&'c HashMap<String, DType>>,
}

impl<'c> Tensors<'c> {
    /// Looks at a checkpoint through the `quantization_config` of its `config.json`, where it has one.
    ///
    /// # Errors
    /// [`Error::Container`] for a quantisation that is not supported.
    pub fn new(checkpoint: &'c Checkpoint, quantization_config: Option<&Value>) -> Result<Self, Error> {
        let quantization = quantization_config.map_or(Ok(Quantization::None), Quantization::read)?;
        Ok(Self { checkpoint, quantization, conversions: None })
    }

    /// The same tensors, those with these names [converted](Tensor::converted) to these types if they are stored as
    /// floats.
    #[must_use]
    pub fn converting(self, types: &'c HashMap<String, DType>) -> Self {
        Self { conversions: Some(types), ..self }
    }

    /// The checkpoint itself.
    pub fn checkpoint(&self) -> &'c Checkpoint {
        self.checkpoint
    }

    /// The tensor of that name; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Tensor`] for types that cannot be computed with, [`Error::Packed`] for parts of a
    /// packed layer that do not fit together.
    pub fn get(&self, name: &str) -> Result<Option<Tensor<'c>>, Error> {
        let checkpoint = self.checkpoint;
        let Some(info) = checkpoint.tensor(name) else { return self.packed(name) };
        let (layout, byte_len, storage) = if info.dtype == DType::F8E4M3 {
            let block = match self.quantization {
                Quantization::Fp8 { block } => block,
                _ => None,
            };
            let layer = Fp8::find(checkpoint, info, block)?;
            (layer.layout(), layer.byte_len(), Storage::Fp8(layer))
        } else {
            let layout = Layout::of(info.dtype).ok_or_else(|| {
                let reason = format!("weights of type {} are not supported", info.dtype);
                Error::tensor(checkpoint.sources()[info.source].name(), name, reason)
            })?;
            (layout, info.byte_len, Storage::Plain(info))
        };
        let (name, shape) = (name.to_owned(), info.shape.clone());
        let tensor = Tensor { name, shape, layout, byte_len, checkpoint, storage, converted: None };
        let wanted = self.conversions.and_then(|types| types.get(&tensor.name));
        match wanted {
            Some(&dtype) if [DType::F32, DType::F16, DType::BF16].contains(&info.dtype) => {
                tensor.converted(dtype).map(Some)
            }
            _ => Ok(Some(tensor)),
        }
    }

    /// The tensor of that name, put together from the parts of a layer.
    fn packed(&self, name: &str) -> Result<Option<Tensor<'c>>, Error> {
        let checkpoint = self.checkpoint;
        let Some(prefix) = name.strip_suffix(".weight") else { return Ok(None) };
        let scheme = match self.quantization {
            Quantization::Grouped(scheme) => scheme,
            _ => {
                let qweight = format!("{prefix}.qweight");
                return match checkpoint.tensor(&qweight) {
                    None => Ok(None),
                    Some(_) => Err(error(
                        &qweight,
                        "the layer is quantised, but quantization_config in config.json does not say how",
                    )),
                };
            }
        };
        let Some(layer) = Grouped::find(checkpoint, prefix, scheme)? else { return Ok(None) };
        Ok(Some(Tensor {
            name: name.to_owned(),
            shape: vec![layer.n_out, layer.n_in],
            layout: layer.layout(),
            byte_len: layer.byte_len(),
            checkpoint,
            storage: Storage::Grouped(layer),
            converted: None,
        }))
    }
}

/// A tensor of a model, in one piece or in parts. Made from the headers of the files alone.
#[derive(Clone)]
pub struct Tensor<'c> {
    /// Name as the architecture has it.
    pub name: String,
    /// Row-major shape, slowest dimension first: a linear layer is `[out, in]`.
    pub shape: Vec<usize>,
    /// The layout that holds its values without loss.
    pub layout: Layout,
    /// Bytes of all its parts in the files.
    pub byte_len: u64,
    checkpoint: &'c Checkpoint,
    storage: Storage<'c>,
    /// What the rows become while they are read.
    converted: Option<DType>,
}

#[derive(Clone)]
enum Storage<'c> {
    Plain(&'c TensorInfo),
    Fp8(Fp8<'c>),
    Grouped(Grouped<'c>),
}

impl<'c> Tensor<'c> {
    /// Elements of one row, the last dimension; 1 for a scalar.
    pub fn row_len(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Product of all dimensions but the last. A vector has one row.
    pub fn n_rows(&self) -> usize {
        self.shape.split_last().map_or(1, |(_, outer)| outer.iter().product())
    }

    /// The type of its rows as [`TensorReader::blocks`] gives them; `None` for a layer of GPTQ, AWQ or FP8, which has
    /// none.
    pub fn dtype(&self) -> Option<DType> {
        match &self.storage {
            Storage::Plain(info) => Some(self.converted.unwrap_or(info.dtype)),
            Storage::Fp8(_) | Storage::Grouped(_) => self.converted,
        }
    }

    /// The same tensor in another format: its rows are converted while they are read, and everything about it but
    /// [`format`](Self::format) and [`byte_len`](Self::byte_len) is that of the new format.
    ///
    /// # Errors
    /// [`Error::Convert`] if rows are not whole blocks of that format, or the format has no layout.
    pub fn converted(mut self, dtype: DType) -> Result<Self, Error> {
        let error = |reason| Error::Convert { tensor: self.name.clone(), reason };
        let (k, block) = (self.row_len(), dtype.block_len());
        if !k.is_multiple_of(block) {
            return Err(error(format!(
                "rows of {k} elements cannot be {dtype}, which comes in blocks of {block}"
            )));
        }
        let layout =
            Layout::of(dtype).ok_or_else(|| error(format!("weights of type {dtype} are not supported")))?;
        if self.dtype() != Some(dtype) {
            self.layout = layout;
            self.converted = Some(dtype);
        }
        Ok(self)
    }

    /// How the files store it, for people: `Q4_K`, or `GPTQ of 4 bits, 128 inputs a scale`.
    pub fn format(&self) -> String {
        match &self.storage {
            Storage::Plain(info) => info.dtype.to_string(),
            Storage::Fp8(layer) => layer.describe(),
            Storage::Grouped(layer) => layer.describe(),
        }
    }

    /// The part of [`byte_len`](Self::byte_len) that some rows stand for, to show progress with: the
    /// parts of ranges that make up all rows make up all bytes.
    pub fn bytes_of(&self, rows: Range<usize>) -> u64 {
        let n_rows = self.n_rows().max(1) as u128;
        let until = |row: usize| (u128::from(self.byte_len) * row as u128 / n_rows) as u64;
        until(rows.end).saturating_sub(until(rows.start))
    }

    /// Where some rows lie on the disk, in the order in which a reader asks for them: all of its parts for a GPTQ or AWQ
    /// layer, whose rows lie scattered; nothing of sources that are no files.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn file_parts(&self, rows: Range<usize>) -> Vec<crate::FilePart> {
        let parts = match &self.storage {
            Storage::Plain(info) => vec![(*info, rows)],
            Storage::Fp8(layer) => vec![(layer.scale, 0..layer.scale.n_rows()), (layer.weight, rows)],
            Storage::Grouped(layer) => layer.tensors().map(|info| (info, 0..info.n_rows())).collect(),
        };
        let file_part = |(info, rows): (&TensorInfo, Range<usize>)| {
            let (source, range) = self.checkpoint.place(info, rows).ok()?;
            Some(crate::FilePart { path: source.as_file()?.path().to_owned(), range })
        };
        parts.into_iter().filter_map(file_part).collect()
    }

    /// Where some rows lie, or the weights of a layer whose scales lie elsewhere: in which source, and from which byte on.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn file_place(&self, rows: &Range<usize>) -> (usize, u64) {
        let info = match &self.storage {
            Storage::Plain(info) => info,
            Storage::Fp8(layer) => layer.weight,
            Storage::Grouped(layer) => layer.qweight,
        };
        (info.source, info.offset + self.bytes_of(0..rows.start))
    }

    /// Whether its rows become another format while they are read, by way of f32.
    pub(crate) fn is_converted(&self) -> bool {
        self.converted.is_some()
    }

    /// Whether its [reader](Self::open) holds all of it in memory, as that of a GPTQ or AWQ layer does.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn is_read_whole(&self) -> bool {
        matches!(self.storage, Storage::Grouped(_))
    }

    /// Makes ready to read rows. The reader of a GPTQ or AWQ layer holds all of that layer, as large
    /// as it is in the file, because its words run across the rows; that of an FP8 layer holds its
    /// scales, any other nothing.
    ///
    /// # Errors
    /// [`Error::Packed`] for scales and groups that cannot be, and whatever the source says.
    pub async fn open(&self) -> Result<TensorReader<'c>, Error> {
        let checkpoint = self.checkpoint;
        let open = match self.storage.clone() {
            Storage::Plain(info) => Open::Plain(checkpoint, info),
            Storage::Fp8(layer) => Open::Fp8(layer.open(checkpoint).await?),
            Storage::Grouped(layer) => Open::Grouped(layer.open(checkpoint).await?),
        };
        Ok(TensorReader {
            name: self.name.clone(),
            row_len: self.row_len(),
            layout: self.layout,
            converted: self.converted,
            open,
        })
    }
}

/// Reads rows of a [`Tensor`], in any order. Rows count over all dimensions but the last: row `r` of
/// expert `e` in `[experts, out, in]` is `e * out + r`.
pub struct TensorReader<'c> {
    name: String,
    row_len: usize,
    layout: Layout,
    converted: Option<DType>,
    open: Open<'c>,
}

enum Open<'c> {
    Plain(&'c Checkpoint, &'c TensorInfo),
    Fp8(OpenFp8<'c>),
    Grouped(OpenGrouped<'c>),
}

impl TensorReader<'_> {
    /// Some rows as the streams of a layout, one vector a stream: that of the tensor, or `F32`, in
    /// which tensors of different layouts can meet.
    ///
    /// # Errors
    /// [`Error::Packed`] for any other layout; as [`values`](Self::values).
    pub async fn streams(&self, rows: Range<usize>, layout: Layout) -> Result<Vec<Vec<u32>>, Error> {
        let mut streams = Vec::new();
        self.fill_streams(rows, layout, &mut streams).await?;
        Ok(streams)
    }

    /// As [`streams`](Self::streams), into memory that was used before: what it held is lost, and its lengths become
    /// those of the rows. A loader that goes through a file with the same streams spares the system fresh memory for
    /// each of its steps.
    ///
    /// # Errors
    /// As [`streams`](Self::streams); the streams then hold anything.
    pub async fn fill_streams(
        &self,
        rows: Range<usize>,
        layout: Layout,
        streams: &mut Vec<Vec<u32>>,
    ) -> Result<(), Error> {
        if layout != self.layout {
            if layout != Layout::F32 {
                let reason = format!("rows in {layout:?} asked for, but they are {:?} or F32", self.layout);
                return Err(error(&self.name, reason));
            }
            return self.fill_f32(rows, streams).await;
        }
        if let Some(dtype) = self.converted {
            let blocks = self.convert(rows.clone(), dtype).await?;
            size_streams(layout, rows.len(), self.row_len, streams)?;
            let mut words: Vec<&mut [u32]> = streams.iter_mut().map(Vec::as_mut_slice).collect();
            repack_into(dtype, &blocks, rows.len(), &mut words);
            return Ok(());
        }
        match (&self.open, layout) {
            (Open::Plain(checkpoint, info), _) => {
                plain::fill_streams(checkpoint, info, rows, layout, streams).await
            }
            (Open::Fp8(layer), Layout::F8) => layer.fill_streams(rows, streams).await,
            (Open::Grouped(layer), Layout::Z4(group) | Layout::Z8(group)) => {
                layer.fill_streams(rows, layout, group, streams)
            }
            _ => self.fill_f32(rows, streams).await,
        }
    }

    /// Some rows as a GGUF file has them: whole blocks of the type that [`Tensor::dtype`] says.
    ///
    /// # Errors
    /// [`Error::Convert`] for a layer of GPTQ, AWQ or FP8 that is not [converted](Tensor::converted); as
    /// [`values`](Self::values).
    pub async fn blocks(&self, rows: Range<usize>) -> Result<Vec<u8>, Error> {
        match (self.converted, &self.open) {
            (Some(dtype), _) => self.convert(rows, dtype).await,
            (None, Open::Plain(checkpoint, info)) => plain::read(checkpoint, info, rows).await,
            (None, Open::Fp8(_) | Open::Grouped(_)) => Err(Error::Convert {
                tensor: self.name.clone(),
                reason: "it is packed in a way that GGUF files do not have".to_owned(),
            }),
        }
    }

    /// The values of some rows, row-major without padding.
    ///
    /// # Errors
    /// [`Error::Tensor`] and [`Error::Packed`] if there are no such rows, and for scales and 8-bit
    /// floats that are not finite; [`Error::Convert`] for values that the format cannot hold; and whatever the
    /// source says.
    pub async fn values(&self, rows: Range<usize>) -> Result<Vec<f32>, Error> {
        let Some(dtype) = self.converted else { return self.stored_values(rows).await };
        let blocks = self.convert(rows.clone(), dtype).await?;
        let mut values = vec![0.0; rows.len() * self.row_len];
        dequantize(dtype, &blocks, &mut values)?;
        Ok(values)
    }

    async fn stored_values(&self, rows: Range<usize>) -> Result<Vec<f32>, Error> {
        match &self.open {
            Open::Plain(checkpoint, info) => {
                let bytes = plain::read(checkpoint, info, rows.clone()).await?;
                let mut values = vec![0.0; rows.len() * self.row_len];
                dequantize(info.dtype, &bytes, &mut values)?;
                Ok(values)
            }
            Open::Fp8(layer) => layer.values(rows).await,
            Open::Grouped(layer) => layer.values(rows),
        }
    }

    /// Some rows in another format than they are stored in.
    async fn convert(&self, rows: Range<usize>, dtype: DType) -> Result<Vec<u8>, Error> {
        let values = self.stored_values(rows.clone()).await?;
        let error = |at: usize, reason: String| {
            let row = rows.start + at / self.row_len.max(1);
            Error::Convert { tensor: self.name.clone(), reason: format!("row {row} {reason}") }
        };
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            return Err(error(at, format!("holds {}, which no {dtype} can stand for", values[at])));
        }
        let blocks = quantize(dtype, &values)?;
        match block::overflow(dtype, &blocks) {
            None => Ok(blocks),
            Some(block) => {
                let at = block * dtype.block_len();
                let largest =
                    values[at..at + dtype.block_len()].iter().fold(0.0, |max: f32, v| max.max(v.abs()));
                Err(error(at, format!("holds {largest:e}, which is too large for {dtype}")))
            }
        }
    }

    async fn fill_f32(&self, rows: Range<usize>, streams: &mut Vec<Vec<u32>>) -> Result<(), Error> {
        let values = self.values(rows.clone()).await?;
        size_streams(Layout::F32, rows.len(), self.row_len, streams)?;
        let row_words = Layout::F32.stream_row_words(0, self.row_len);
        if row_words > 0 {
            let words = streams[0].chunks_exact_mut(row_words);
            for (words, values) in words.zip(values.chunks_exact(self.row_len)) {
                let (row, padding) = words.split_at_mut(self.row_len);
                for (word, value) in row.iter_mut().zip(values) {
                    *word = value.to_bits();
                }
                padding.fill(0);
            }
        }
        Ok(())
    }
}
