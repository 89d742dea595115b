//! The number formats that weights can be converted to, and which tensors of a model are.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use qwill_models::{Plan, TensorRef};
use qwill_weights::DType;

/// A number format for the matrices of a model: a float or a block format of GGUF.
///
/// Embeddings, linear layers and experts are converted; norms, biases, routers and heads that score stay as they are.
/// As in llama.cpp, the output matrix (the embedding where it serves as one) becomes Q6_K under a block format other
/// than Q8_0, and rows that are not whole blocks take a related format ([`DType::for_rows_of`]): Q5_0 for Q4_K, Q5_1
/// for Q5_K, Q8_0 for Q6_K, IQ4_NL for IQ4_XS, Q4_0 for Q2_K and Q3_K, and F16 where no block of 32 fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightFormat {
    dtype: DType,
    file_type: u32,
}

impl WeightFormat {
    /// Every format.
    pub const ALL: [Self; 16] = [
        Self::new(DType::F32, 0),
        Self::new(DType::F16, 1),
        Self::new(DType::BF16, 32),
        Self::new(DType::Q8_0, 7),
        Self::new(DType::Q6_K, 18),
        Self::new(DType::Q5_K, 16),
        Self::new(DType::Q5_1, 9),
        Self::new(DType::Q5_0, 8),
        Self::new(DType::Q4_K, 14),
        Self::new(DType::Q4_1, 3),
        Self::new(DType::Q4_0, 2),
        Self::new(DType::IQ4_NL, 25),
        Self::new(DType::IQ4_XS, 30),
        Self::new(DType::MXFP4, 38),
        Self::new(DType::Q3_K, 11),
        Self::new(DType::Q2_K, 10),
    ];

    const fn new(dtype: DType, file_type: u32) -> Self {
        Self { dtype, file_type }
    }

    /// The type of whole blocks.
    pub fn dtype(self) -> DType {
        self.dtype
    }

    /// The number that `general.file_type` of a GGUF file has for it (llama.cpp's `llama_ftype`).
    pub(crate) fn file_type(self) -> u32 {
        self.file_type
    }
}

impl fmt::Display for WeightFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.dtype.name().to_lowercase())
    }
}

/// What is no [`WeightFormat`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no weight format \"{found}\"; there are {known}")]
pub struct NoWeightFormat {
    found: String,
    known: String,
}

impl FromStr for WeightFormat {
    type Err = NoWeightFormat;

    fn from_str(text: &str) -> Result<Self, NoWeightFormat> {
        let known = || Self::ALL.map(|format| format.to_string()).join(", ");
        let found = DType::from_name(text).and_then(|dtype| Self::ALL.into_iter().find(|f| f.dtype == dtype));
        found.ok_or_else(|| NoWeightFormat { found: text.to_owned(), known: known() })
    }
}

/// The format of each tensor of a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TensorFormats {
    format: DType,
    /// The tensor that gives logits, and its format.
    output: Option<(&'static str, DType)>,
}

impl TensorFormats {
    /// The same format for every matrix.
    pub(crate) fn uniform(format: WeightFormat) -> Self {
        Self { format: format.dtype(), output: None }
    }

    /// What [`WeightFormat`] says for a model of this plan.
    pub(crate) fn of_model(format: WeightFormat, plan: &Plan) -> Self {
        let is_tied = !plan.tensors().iter().any(|part| part.gguf == "output.weight");
        let output = if is_tied { "token_embd.weight" } else { "output.weight" };
        let keeps = format.dtype().block_len() == 1 || format.dtype() == DType::Q8_0;
        let output = (!keeps).then_some((output, DType::Q6_K));
        Self { output, ..Self::uniform(format) }
    }

    /// The type of a tensor; `None` if it is none of those that are converted.
    pub(crate) fn dtype(&self, part: &TensorRef) -> Option<DType> {
        let name = part.gguf.as_str();
        let is_layer = name.starts_with("blk.") && !name.contains("ffn_gate_inp");
        if part.shape.len() != 2 || !(is_layer || ["token_embd.weight", "output.weight"].contains(&name)) {
            return None;
        }
        let format =
            self.output.filter(|(output, _)| *output == name).map_or(self.format, |(_, format)| format);
        Some(format.for_rows_of(part.shape[1]))
    }

    /// The types of the tensors that are converted, under every name that a checkpoint may have for them.
    pub(crate) fn by_name(&self, plan: &Plan) -> HashMap<String, DType> {
        let mut types = HashMap::new();
        for part in plan.tensors() {
            if let Some(dtype) = self.dtype(part) {
                let bare = part.hf.strip_prefix("model.").unwrap_or(&part.hf);
                types.extend([part.hf.as_str(), &part.gguf, bare].map(|name| (name.to_owned(), dtype)));
            }
        }
        types
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(shape: &str, format: &str) -> HashMap<String, DType> {
        let plan = qwill_models::plan(&qwill_models::published_shape(shape).unwrap().config).unwrap();
        TensorFormats::of_model(format.parse().unwrap(), &plan).by_name(&plan)
    }

    #[test]
    fn formats_have_names_of_either_case() {
        for format in WeightFormat::ALL {
            assert_eq!(format.to_string().parse::<WeightFormat>().unwrap(), format);
            assert_eq!(format.dtype().name().parse::<WeightFormat>().unwrap(), format);
        }
        for bad in ["", "q4", "q4_k_m", "iq2_xs", "i8", "q8_1"] {
            let message = bad.parse::<WeightFormat>().unwrap_err().to_string();
            assert!(message.contains("q4_0, iq4_nl"), "{message}");
        }
    }

    #[test]
    fn tensors_get_what_llama_cpp_gives_them() {
        let tied = types("qwen3-0.6b", "q4_k");
        assert_eq!(tied["token_embd.weight"], DType::Q6_K);
        assert_eq!(tied["model.embed_tokens.weight"], DType::Q6_K);
        assert_eq!(tied["embed_tokens.weight"], DType::Q6_K);
        assert_eq!(tied["blk.0.ffn_down.weight"], DType::Q4_K);
        assert!(tied.keys().all(|name| !name.contains("norm") && !name.contains("bias")));
        let own = types("qwen3-8b", "q4_0");
        assert_eq!((own["token_embd.weight"], own["output.weight"]), (DType::Q4_0, DType::Q6_K));
        // 896 is no multiple of 256
        let narrow = types("qwen2.5-0.5b", "q4_k");
        assert_eq!((narrow["token_embd.weight"], narrow["blk.3.attn_q.weight"]), (DType::Q8_0, DType::Q5_0));
        assert_eq!(narrow["blk.3.ffn_down.weight"], DType::Q4_K);
        let sparse = types("qwen2-57b-a14b", "q8_0");
        assert!(
            sparse.keys().all(|name| !name.contains("ffn_gate_inp") && !name.ends_with("mlp.gate.weight"))
        );
        assert_eq!(sparse["output.weight"], DType::Q8_0);
        assert_eq!(sparse["blk.0.ffn_up_exps.weight"], DType::Q8_0);
    }
}
