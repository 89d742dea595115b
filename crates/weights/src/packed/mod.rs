//! Quantised linear layers of safetensors checkpoints, where one weight is spread over several
//! tensors: GPTQ and AWQ ([`grouped`]), and FP8 with block scales ([`fp8`]).
//!
//! Each has a description, made from the headers alone, that checks its tensors against each other
//! and says what the weight looks like, and an opened form that gives rows.

mod config;
pub(crate) mod fp8;
pub(crate) mod grouped;

pub(crate) use config::Quantization;

use std::ops::Range;

use crate::{Checkpoint, DType, Error, TensorInfo, dequantize};

/// Types that scales are stored in.
const SCALE_TYPES: [DType; 3] = [DType::F16, DType::BF16, DType::F32];

pub(crate) fn error(tensor: &str, reason: impl Into<String>) -> Error {
    Error::Packed { tensor: tensor.to_owned(), reason: reason.into() }
}

/// Refuses a tensor of another type.
fn check_type(info: &TensorInfo, dtypes: &[DType]) -> Result<(), Error> {
    if dtypes.contains(&info.dtype) {
        return Ok(());
    }
    let names: Vec<&str> = dtypes.iter().map(|d| d.name()).collect();
    Err(error(&info.name, format!("its type is {}, but {} is needed", info.dtype, names.join(" or "))))
}

/// Refuses a tensor of another shape.
fn check_shape(info: &TensorInfo, shape: &[usize]) -> Result<(), Error> {
    if info.shape == shape {
        Ok(())
    } else {
        Err(error(&info.name, format!("its shape is {:?}, but {shape:?} is needed", info.shape)))
    }
}

/// Refuses rows that a tensor does not have.
fn check_rows(name: &str, rows: &Range<usize>, n_rows: usize) -> Result<(), Error> {
    if rows.start <= rows.end && rows.end <= n_rows {
        Ok(())
    } else {
        Err(error(name, format!("rows {rows:?} asked for, it has {n_rows}")))
    }
}

/// All bytes of a tensor.
async fn read(checkpoint: &Checkpoint, info: &TensorInfo) -> Result<Vec<u8>, Error> {
    checkpoint.read_rows(info, 0..info.n_rows()).await
}

/// All values of a tensor of scales. NaN and infinities would spoil every output without a trace of
/// where they came from, so they are refused here.
async fn read_scales(checkpoint: &Checkpoint, info: &TensorInfo) -> Result<Vec<f32>, Error> {
    let bytes = read(checkpoint, info).await?;
    let mut scales = vec![0.0; bytes.len() / info.dtype.block_bytes()];
    dequantize(info.dtype, &bytes, &mut scales)?;
    match scales.iter().position(|scale| !scale.is_finite()) {
        None => Ok(scales),
        Some(i) => Err(error(&info.name, format!("scale {i} is {}, but scales must be finite", scales[i]))),
    }
}
