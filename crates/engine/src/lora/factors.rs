//! The tensors of an adapter, and what they add to the matrices of a model.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;

use qwill_models::{TensorRef, Weight};
use qwill_weights::{Checkpoint, Container, DType, Layout, Tensor, Tensors};

use super::config::LoraConfig;
use crate::loader::{row_on_device, rows_on_device};
use crate::{Error, TensorError};

/// What a module does with its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Linear,
    Embedding,
}

/// The names of a module's two factors.
#[derive(Debug)]
struct Entry {
    /// The module's name as patterns of the configuration see it.
    module: String,
    kind: Kind,
    a: Option<String>,
    b: Option<String>,
    /// The model has such a module.
    is_known: Cell<bool>,
}

/// Where ranks and scales come from.
enum Scaling {
    /// `adapter_config.json`.
    Peft(LoraConfig),
    /// `adapter.lora.alpha` of a GGUF file; 0: no scale. Ranks follow from the tensors.
    Gguf(f32),
}

/// An adapter's files.
pub struct LoraFile {
    checkpoint: Checkpoint,
    scaling: Scaling,
    /// By the module's name without what wraps the model, or in GGUF files by the name of its weight.
    entries: BTreeMap<String, Entry>,
}

/// The low-rank factors of one or more matrices of the same shape, stacked: `W + B diag(scale) A` for each.
pub(crate) struct Factors {
    /// Columns that each matrix's factors have; those of other parts and of smaller ranks are zero.
    pub(crate) rank: usize,
    /// Rows that each matrix has, in the order in which it lies on the device.
    pub(crate) n_rows: usize,
    /// `[n_matrices * rank, k]`; of an embedding `[vocab_size, rank]`.
    pub(crate) a: Vec<f32>,
    /// `[n_matrices * n_rows, rank]`
    pub(crate) b: Vec<f32>,
    /// `[n_matrices * rank]`
    pub(crate) scales: Vec<f32>,
    /// A type that holds all of them exactly.
    pub(crate) dtype: DType,
    /// Numbers that the files hold for them.
    pub(crate) n_params: u64,
}

/// The factors of one tensor.
struct Pair<'c> {
    rank: usize,
    scale: f32,
    a: (Tensor<'c>, Range<usize>),
    b: (Tensor<'c>, Range<usize>),
}

impl Pair<'_> {
    fn n_params(&self) -> u64 {
        let count = |(tensor, rows): &(Tensor<'_>, Range<usize>)| (tensor.row_len() * rows.len()) as u64;
        count(&self.a) + count(&self.b)
    }
}

/// A module's name without the classes that wrap the model.
fn bare(name: &str) -> &str {
    let mut rest = name;
    while let Some((first, inner)) = rest.split_once('.')
        && matches!(first, "base_model" | "model" | "language_model")
    {
        rest = inner;
    }
    rest
}

/// Module, kind, and whether it is the first factor, from the name of a tensor.
fn parse(container: Container, name: &str) -> Option<(&str, Kind, bool)> {
    if container == Container::Gguf {
        let a = name.strip_suffix(".lora_a").map(|module| (module, true));
        let (module, is_a) = a.or_else(|| name.strip_suffix(".lora_b").map(|module| (module, false)))?;
        let kind = if module == "token_embd.weight" { Kind::Embedding } else { Kind::Linear };
        return Some((module, kind, is_a));
    }
    let marks = [
        (".lora_A", Kind::Linear, true),
        (".lora_B", Kind::Linear, false),
        (".lora_embedding_A", Kind::Embedding, true),
        (".lora_embedding_B", Kind::Embedding, false),
    ];
    marks.into_iter().find_map(|(mark, kind, is_a)| {
        let (module, rest) = name.split_once(mark)?;
        matches!(rest, "" | ".weight" | ".default" | ".default.weight").then_some((module, kind, is_a))
    })
}

impl LoraFile {
    /// An adapter as PEFT saves it: tensors beside `adapter_config.json`.
    pub fn from_peft(checkpoint: Checkpoint, config_json: &[u8]) -> Result<Self, Error> {
        let scaling = Scaling::Peft(LoraConfig::from_json(config_json)?);
        Self::new(checkpoint, scaling)
    }

    /// An adapter in a GGUF file, which has its scale.
    pub fn from_gguf(checkpoint: Checkpoint) -> Result<Self, Error> {
        let alpha = checkpoint.metadata().get_f64("adapter.lora.alpha")?.unwrap_or(0.0) as f32;
        Self::new(checkpoint, Scaling::Gguf(alpha))
    }

    fn new(checkpoint: Checkpoint, scaling: Scaling) -> Result<Self, Error> {
        let entries = entries(&checkpoint)?;
        Ok(Self { checkpoint, scaling, entries })
    }

    /// Refuses modules that the model was never asked about; `known` are those that it was asked about.
    pub(crate) fn check_modules<'p>(
        &self,
        architecture: &str,
        known: impl Iterator<Item = &'p TensorRef>,
    ) -> Result<(), Error> {
        let Some((key, entry)) = self.entries.iter().find(|(_, entry)| !entry.is_known.get()) else {
            return Ok(());
        };
        let mut names: Vec<&str> = known.map(|part| self.key_of(part)).collect();
        names.sort_unstable();
        let last = |name: &str| name.trim_end_matches(".weight").rsplit('.').next().map(str::to_owned);
        let similar = names.iter().rev().find(|name| last(name) == last(key)).or(names.last());
        Err(Error::Adapter(format!(
            "the adapter changes \"{}\", but this {architecture} model has no such matrix{}; it was made for another model",
            entry.module,
            similar.map(|name| format!(", its last of this kind is \"{name}\"")).unwrap_or_default()
        )))
    }

    /// The name under which a tensor's module stands in the files.
    fn key_of<'p>(&self, part: &'p TensorRef) -> &'p str {
        match self.checkpoint.container() {
            Container::Gguf => &part.gguf,
            Container::Safetensors => bare(part.hf.strip_suffix(".weight").unwrap_or(&part.hf)),
        }
    }

    fn tensor(&self, name: &str, expected: Vec<usize>) -> Result<Tensor<'_>, Error> {
        let tensor = Tensors::new(&self.checkpoint, None)?.get(name)?;
        let tensor = tensor.ok_or_else(|| Error::Adapter(format!("the adapter has no \"{name}\"")))?;
        if tensor.shape != expected {
            return Err(TensorError::Shape { name: name.to_owned(), found: tensor.shape, expected }.into());
        }
        Ok(tensor)
    }

    /// The factors of a tensor `[n_out, n_in]`, if the adapter changes it.
    fn pair(&self, part: &TensorRef, kind: Kind) -> Result<Option<Pair<'_>>, Error> {
        let Some(entry) = self.entries.get(self.key_of(part)).filter(|entry| entry.kind == kind) else {
            return Ok(None);
        };
        entry.is_known.set(true);
        let (Some(a), Some(b)) = (&entry.a, &entry.b) else {
            let only = entry.a.as_ref().or(entry.b.as_ref()).cloned().unwrap_or_default();
            return Err(Error::Adapter(format!(
                "the adapter has \"{only}\", but not the factor that belongs to it"
            )));
        };
        let is_gguf = self.checkpoint.container() == Container::Gguf;
        let (rank, scale) = match &self.scaling {
            Scaling::Peft(config) => (config.rank_of(&entry.module), config.scale_of(&entry.module)),
            Scaling::Gguf(alpha) => {
                let rank = self.checkpoint.tensor(b).and_then(|b| b.shape.last().copied()).unwrap_or(1);
                (rank, if *alpha == 0.0 { 1.0 } else { alpha / rank as f32 })
            }
        };
        let (n_out, n_in) = (part.shape[0], part.shape[1]);
        let (a_shape, b_shape) = match kind {
            Kind::Linear => (vec![rank, n_in], vec![n_out, rank]),
            // the table of an embedding is used by its columns, which GGUF files keep as rows
            Kind::Embedding if is_gguf => (vec![n_out, rank], vec![n_in, rank]),
            Kind::Embedding => (vec![rank, n_out], vec![n_in, rank]),
        };
        let sliced = |shape: Vec<usize>| match part.expert {
            Some(slice) if is_gguf => {
                let rows = slice.index * shape[0]..(slice.index + 1) * shape[0];
                ([&[slice.n_experts], &shape[..]].concat(), rows)
            }
            _ => {
                let rows = 0..shape[0];
                (shape, rows)
            }
        };
        let ((a_shape, a_rows), (b_shape, b_rows)) = (sliced(a_shape), sliced(b_shape));
        let (a, b) = ((self.tensor(a, a_shape)?, a_rows), (self.tensor(b, b_shape)?, b_rows));
        Ok(Some(Pair { rank, scale, a, b }))
    }

    /// What the adapter adds to matrices of the same shape, if it changes any of them.
    pub(crate) async fn factors(&self, weights: &[Weight]) -> Result<Option<Factors>, Error> {
        let mut changed = Vec::new();
        for weight in weights {
            let pairs = weight.parts.iter().map(|part| self.pair(part, Kind::Linear));
            changed.push(pairs.collect::<Result<Vec<_>, Error>>()?);
        }
        let ranks = changed.iter().map(|pairs| pairs.iter().flatten().map(|pair| pair.rank).sum());
        let rank: usize = ranks.max().unwrap_or(0);
        if rank == 0 {
            return Ok(None);
        }
        let k = weights[0].parts[0].shape[1];
        let n_rows = rows_on_device(&weights[0]);
        let mut factors = Factors {
            rank,
            n_rows,
            a: vec![0.0; weights.len() * rank * k],
            b: vec![0.0; weights.len() * n_rows * rank],
            scales: vec![0.0; weights.len() * rank],
            dtype: common_dtype(changed.iter().flatten().flatten()),
            n_params: changed.iter().flatten().flatten().map(Pair::n_params).sum(),
        };
        for (index, (weight, pairs)) in weights.iter().zip(&changed).enumerate() {
            let mut column = 0;
            for (part, pair) in
                pairs.iter().enumerate().filter_map(|(part, pair)| Some((part, pair.as_ref()?)))
            {
                let first = index * rank + column;
                let a = values(&pair.a).await?;
                factors.a[first * k..][..a.len()].copy_from_slice(&a);
                for (row, b) in values(&pair.b).await?.chunks_exact(pair.rank).enumerate() {
                    let row = index * n_rows + row_on_device(weight, part, row);
                    factors.b[row * rank + column..][..pair.rank].copy_from_slice(b);
                }
                factors.scales[first..][..pair.rank].fill(pair.scale);
                column += pair.rank;
            }
        }
        Ok(Some(factors))
    }

    /// What the adapter adds to the rows of an embedding, if it does.
    pub(crate) async fn embedding(&self, table: &TensorRef) -> Result<Option<Factors>, Error> {
        let Some(pair) = self.pair(table, Kind::Embedding)? else { return Ok(None) };
        let (rank, vocab_size) = (pair.rank, table.shape[0]);
        let mut a = values(&pair.a).await?;
        if self.checkpoint.container() == Container::Safetensors {
            a = (0..vocab_size * rank).map(|i| a[i % rank * vocab_size + i / rank]).collect();
        }
        Ok(Some(Factors {
            rank,
            n_rows: table.shape[1],
            a,
            b: values(&pair.b).await?,
            scales: vec![pair.scale; rank],
            dtype: common_dtype([&pair]),
            n_params: pair.n_params(),
        }))
    }
}

fn entries(checkpoint: &Checkpoint) -> Result<BTreeMap<String, Entry>, Error> {
    let container = checkpoint.container();
    let mut entries = BTreeMap::<String, Entry>::new();
    for tensor in checkpoint.tensors() {
        let name = &tensor.name;
        // PEFT stores embeddings that it changes a second time, as they are in the base model
        if name.ends_with(".base_layer.weight") {
            continue;
        }
        let Some((path, kind, is_a)) = parse(container, name) else {
            return Err(Error::Adapter(format!(
                "tensor \"{name}\" of the adapter is no low-rank factor (lora_A, lora_B, lora_embedding_A, lora_embedding_B); \
                 whole modules cannot be replaced at run time: merge the adapter into its base model"
            )));
        };
        let key = if container == Container::Gguf { path } else { bare(path) };
        let entry = entries.entry(key.to_owned()).or_insert_with(|| Entry {
            module: path.strip_prefix("base_model.model.").unwrap_or(path).to_owned(),
            kind,
            a: None,
            b: None,
            is_known: Cell::new(false),
        });
        let factor = if is_a { &mut entry.a } else { &mut entry.b };
        if let Some(other) = factor.replace(name.clone()) {
            return Err(Error::Adapter(format!(
                "the adapter has \"{other}\" and \"{name}\" for the same module"
            )));
        }
    }
    match entries.is_empty() {
        true => Err(Error::Adapter("the adapter has no tensors".into())),
        false => Ok(entries),
    }
}

async fn values((tensor, rows): &(Tensor<'_>, Range<usize>)) -> Result<Vec<f32>, Error> {
    Ok(tensor.open().await?.values(rows.clone()).await?)
}

fn common_dtype<'p, 'c: 'p>(pairs: impl IntoIterator<Item = &'p Pair<'c>>) -> DType {
    let mut layouts = pairs.into_iter().flat_map(|pair| [pair.a.0.layout, pair.b.0.layout]);
    match layouts.next() {
        Some(Layout::F16) if layouts.all(|layout| layout == Layout::F16) => DType::F16,
        Some(Layout::BF16) if layouts.all(|layout| layout == Layout::BF16) => DType::BF16,
        _ => DType::F32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_modules() {
        for (name, wanted) in [
            ("base_model.model.model.layers.0.self_attn.q_proj", "layers.0.self_attn.q_proj"),
            ("base_model.model.model.language_model.layers.0.mlp.up_proj", "layers.0.mlp.up_proj"),
            ("model.layers.3.mlp.experts.7.down_proj", "layers.3.mlp.experts.7.down_proj"),
            ("layers.3.mlp.gate", "layers.3.mlp.gate"),
            ("base_model.model.transformer.h.0.attn.c_attn", "transformer.h.0.attn.c_attn"),
            ("base_model.model.lm_head", "lm_head"),
            ("model.visual.layers.0.q_proj", "visual.layers.0.q_proj"),
        ] {
            assert_eq!(bare(name), wanted);
        }
        let peft = |name| parse(Container::Safetensors, name);
        assert_eq!(peft("x.y.lora_A.weight"), Some(("x.y", Kind::Linear, true)));
        assert_eq!(peft("x.y.lora_B.default.weight"), Some(("x.y", Kind::Linear, false)));
        assert_eq!(peft("x.lora_embedding_B"), Some(("x", Kind::Embedding, false)));
        assert_eq!(peft("x.lora_magnitude_vector"), None);
        assert_eq!(peft("lm_head.weight"), None);
        assert_eq!(parse(Container::Gguf, "a.weight.lora_b"), Some(("a.weight", Kind::Linear, false)));
        assert_eq!(
            parse(Container::Gguf, "token_embd.weight.lora_a"),
            Some(("token_embd.weight", Kind::Embedding, true))
        );
    }
}
