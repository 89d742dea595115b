use serde::Deserialize;
use serde_json::Value;

use super::grouped::{Packing, Scheme};
use crate::Error;

/// What `quantization_config` says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Quantization {
    /// Nothing is quantised.
    None,
    /// GPTQ or AWQ.
    Grouped(Scheme),
    /// FP8; the `[out, in]` of the blocks that share a scale, where it is not one per tensor.
    Fp8 { block: Option<[usize; 2]> },
}

/// The keys of all methods.
#[derive(Deserialize)]
struct Keys {
    quant_method: Option<String>,
    bits: Option<u32>,
    group_size: Option<i64>,
    desc_act: Option<bool>,
    checkpoint_format: Option<String>,
    format: Option<String>,
    version: Option<String>,
    zero_point: Option<bool>,
    fmt: Option<String>,
    weight_block_size: Option<[usize; 2]>,
}

impl Quantization {
    /// Reads the value of `quantization_config`.
    pub(crate) fn read(value: &Value) -> Result<Self, Error> {
        if value.is_null() {
            return Ok(Self::None);
        }
        let keys = Keys::deserialize(value).map_err(|e| refuse(e.to_string()))?;
        match keys.quant_method.as_deref() {
            Some("gptq") => keys.gptq().map(Self::Grouped),
            Some("awq") => keys.awq().map(Self::Grouped),
            Some("fp8") => keys.fp8(),
            method => Err(refuse(format!(
                "quant_method is {}, but only gptq, awq and fp8 are supported",
                method.unwrap_or("missing")
            ))),
        }
    }
}

fn refuse(reason: String) -> Error {
    Error::container("config.json", format!("quantization_config: {reason}"))
}

impl Keys {
    fn gptq(&self) -> Result<Scheme, Error> {
        let bits = self.bits(&[4, 8])?;
        // "gptq" stores zero points less one. Files of that time say nothing.
        let zero_offset = match self.checkpoint_format.as_deref().or(self.format.as_deref()) {
            None | Some("gptq") => 1,
            Some("gptq_v2") => 0,
            Some(other) => {
                return Err(refuse(format!(
                    "checkpoint_format is {other}, but only gptq and gptq_v2 are supported"
                )));
            }
        };
        Ok(Scheme {
            packing: Packing::Input,
            bits,
            group_size: self.group_size()?,
            zero_offset,
            in_order: !self.desc_act.unwrap_or(false),
        })
    }

    fn awq(&self) -> Result<Scheme, Error> {
        let bits = self.bits(&[4])?;
        let version = self.version.as_deref().or(self.format.as_deref()).unwrap_or("gemm");
        if !version.eq_ignore_ascii_case("gemm") {
            return Err(refuse(format!("version is {version}, but only gemm is supported")));
        }
        if self.zero_point == Some(false) {
            return Err(refuse("zero_point is false, but only true is supported".to_owned()));
        }
        let group_size = self.group_size()?;
        Ok(Scheme { packing: Packing::Output, bits, group_size, zero_offset: 0, in_order: true })
    }

    fn fp8(&self) -> Result<Quantization, Error> {
        if let Some(fmt) = self.fmt.as_deref().filter(|&fmt| fmt != "e4m3") {
            return Err(refuse(format!("fmt is {fmt}, but only e4m3 is supported")));
        }
        match self.weight_block_size {
            Some(block) if block.contains(&0) => {
                Err(refuse(format!("weight_block_size is {block:?}, blocks that hold nothing")))
            }
            block => Ok(Quantization::Fp8 { block }),
        }
    }

    fn bits(&self, supported: &[u32]) -> Result<u32, Error> {
        match self.bits {
            Some(bits) if supported.contains(&bits) => Ok(bits),
            Some(bits) => Err(refuse(format!("bits is {bits}, but only {supported:?} are supported"))),
            None => Err(refuse(format!("bits is missing, it should be one of {supported:?}"))),
        }
    }

    /// Inputs that share a scale; `None` if all do.
    fn group_size(&self) -> Result<Option<usize>, Error> {
        match self.group_size {
            Some(-1) => Ok(None),
            Some(size) if size > 0 => {
                usize::try_from(size).map(Some).map_err(|_| refuse(format!("group_size is {size}")))
            }
            Some(size) => {
                Err(refuse(format!("group_size is {size}, but it must be positive, or -1 for all")))
            }
            None => Err(refuse("group_size is missing".to_owned())),
        }
    }
}
