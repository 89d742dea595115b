//! Sparse mixtures of experts: which layers have one, and their tensors.

use serde_json::{Value, json};

use crate::config::{Config, Default, Error, invalid};
use crate::decoder::{self, Family, dense_block, feed_forward_norm, layer_tensor};
use crate::plan::{Expert, Mixture, Op, Plan, SharedExpert, TensorRef, TopKWeights, Weight};
use crate::registers::RegisterRows;
use crate::stream::{Layers, inner_states};

/// Whether every token also goes to one expert of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// To a shared expert, times the sigmoid of a gate.
    GatedExpert,
    /// No.
    None,
}

/// Which layers are sparse, and how.
pub(crate) struct Sparsity {
    n_experts: usize,
    top_k: usize,
    weights: TopKWeights,
    intermediate_size: usize,
    shared_intermediate_size: Option<usize>,
    step: usize,
    dense_layers: Vec<usize>,
}

impl Sparsity {
    pub(crate) fn from_config(config: &Config, sharing: Sharing) -> Result<Self, Error> {
        let n_experts = config.count("num_experts")?;
        let top_k = config.count("num_experts_per_tok")?;
        if top_k > n_experts {
            return Err(invalid(
                "num_experts_per_tok",
                &json!(top_k),
                format!("it cannot be more than num_experts ({n_experts})"),
            ));
        }
        let weights = match config.flag("norm_topk_prob", Default::False)? {
            true => TopKWeights::Renormalised,
            false => TopKWeights::Softmax,
        };
        let shared_intermediate_size = match sharing {
            Sharing::GatedExpert => Some(config.count("shared_expert_intermediate_size")?),
            Sharing::None => None,
        };
        Ok(Self {
            n_experts,
            top_k,
            weights,
            intermediate_size: config.count("moe_intermediate_size")?,
            shared_intermediate_size,
            step: config.count_opt("decoder_sparse_step")?.unwrap_or(1),
            dense_layers: dense_layers(config)?,
        })
    }

    /// A layer is sparse unless it is named in `mlp_only_layers`, every `decoder_sparse_step`th.
    fn is_sparse(&self, layer: usize) -> bool {
        !self.dense_layers.contains(&layer) && (layer + 1).is_multiple_of(self.step)
    }

    /// The plan of a decoder with such layers.
    pub(crate) fn plan(&self, config: &Config, family: &Family) -> Result<Plan, Error> {
        let mut plan = decoder::plan(config, family, |layers, layer| {
            if self.is_sparse(layer) {
                Ok(vec![self.block(layers, layer)])
            } else {
                Ok(dense_block(layers, layer))
            }
        })?;
        let has_dense_layer = (0..plan.dims.n_layers).any(|layer| !self.is_sparse(layer));
        let dense = if has_dense_layer { plan.dims.intermediate_size } else { 0 };
        plan.dims.intermediate_size = dense.max(self.shared_intermediate_size.unwrap_or(0));
        Ok(plan)
    }

    fn block(&self, Layers { dims, stream, registers }: &mut Layers<'_>, layer: usize) -> Op {
        let hidden = dims.hidden_size;
        let matrix = |hf: String, gguf: &str, rows: usize, columns: usize| {
            let (hf, gguf) = (format!("mlp.{hf}.weight"), format!("{gguf}.weight"));
            layer_tensor(layer, &hf, &gguf, &[rows, columns])
        };
        // gate, up and down of an expert: its prefix in Hugging Face files, the suffix of its names in GGUF files
        let network = |hf: &str, gguf: &str, inner: usize| {
            [("gate", inner, hidden), ("up", inner, hidden), ("down", hidden, inner)].map(
                |(part, rows, columns)| {
                    matrix(format!("{hf}.{part}_proj"), &format!("ffn_{part}_{gguf}"), rows, columns)
                },
            )
        };
        let expert = |[gate, up, down]: [TensorRef; 3]| Expert {
            gate_up: Weight::gate_up(gate, up),
            down: Weight::single(down),
        };
        let experts = (0..self.n_experts)
            .map(|index| {
                let tensors = network(&format!("experts.{index}"), "exps", self.intermediate_size);
                expert(tensors.map(|tensor| tensor.of_expert(index, self.n_experts)))
            })
            .collect();
        let mut router = vec![matrix("gate".into(), "ffn_gate_inp", self.n_experts, hidden)];
        let shared = self.shared_intermediate_size.map(|intermediate_size| {
            router.push(matrix("shared_expert_gate".into(), "ffn_gate_inp_shexp", 1, hidden));
            let expert = expert(network("shared_expert", "shexp", intermediate_size));
            SharedExpert { intermediate_size, expert, inner: inner_states(registers, intermediate_size) }
        });
        let n_logits = self.n_experts + usize::from(shared.is_some());
        let mut slots = |name, width| registers.named(name, RegisterRows::Slots(self.top_k), width);
        Op::Mix(Mixture {
            norm: stream.pre_norm(feed_forward_norm(dims, layer)),
            stream: stream.hidden,
            inner: slots("expert states", self.intermediate_size),
            outputs: slots("expert outputs", hidden),
            router_logits: registers.named("router logits", RegisterRows::Tokens, n_logits),
            router: Weight::stacked(router),
            top_k: self.top_k,
            weights: self.weights,
            intermediate_size: self.intermediate_size,
            experts,
            shared,
        })
    }
}

fn dense_layers(config: &Config) -> Result<Vec<usize>, Error> {
    let Some(value) = config.get("mlp_only_layers") else { return Ok(Vec::new()) };
    let layers = value.as_array().and_then(|list| list.iter().map(Value::as_u64).collect::<Option<Vec<_>>>());
    match layers {
        Some(layers) => Ok(layers.into_iter().map(|layer| layer as usize).collect()),
        None => Err(invalid("mlp_only_layers", value, "a list of layer numbers is needed")),
    }
}
