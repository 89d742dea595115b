//! What a model does, in operations that name tensors and registers but no buffers.

use crate::registers::{Register, Registers};

/// Sizes of a decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Dims {
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Decoder layers.
    pub n_layers: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key/value heads.
    pub n_kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// Inner width of dense feed-forward networks, shared experts included; 0 without any.
    pub intermediate_size: usize,
    /// Rows of the embedding, padding rows included.
    pub vocab_size: usize,
    /// Tokens that the model was made for.
    pub context_length: usize,
    /// Eps of every RMSNorm.
    pub rms_norm_eps: f32,
}

/// A tensor of the checkpoint, under the names its containers give it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TensorRef {
    /// Name in Hugging Face files.
    pub hf: String,
    /// Name in GGUF files.
    pub gguf: String,
    /// `[rows, columns]`, or `[length]`.
    pub shape: Vec<usize>,
    /// GGUF files keep the matrices of all experts in one tensor; this is one of them.
    pub expert: Option<ExpertSlice>,
}

/// Which part of a GGUF tensor `[n_experts, rows, columns]` is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExpertSlice {
    /// The expert.
    pub index: usize,
    /// How many there are.
    pub n_experts: usize,
}

impl TensorRef {
    /// A tensor with both its names.
    pub fn new(hf: impl Into<String>, gguf: impl Into<String>, shape: &[usize]) -> Self {
        Self { hf: hf.into(), gguf: gguf.into(), shape: shape.to_vec(), expert: None }
    }

    /// A tensor of one expert.
    pub fn of_expert(self, index: usize, n_experts: usize) -> Self {
        Self { expert: Some(ExpertSlice { index, n_experts }), ..self }
    }
}

/// How the parts of a stacked weight lie under each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arrangement {
    /// One after the other.
    Stacked,
    /// Two parts, gate and up, whose outputs are combined.
    GateUp,
}

/// A weight matrix made of tensors with the same number of columns.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Weight {
    /// The tensors, `[rows, k]` each.
    pub parts: Vec<TensorRef>,
    /// How they are put together.
    pub arrangement: Arrangement,
}

impl Weight {
    /// A weight of one tensor.
    pub fn single(tensor: TensorRef) -> Self {
        Self::stacked(vec![tensor])
    }

    /// Tensors one after the other.
    pub fn stacked(parts: Vec<TensorRef>) -> Self {
        Self { parts, arrangement: Arrangement::Stacked }
    }

    /// Gate and up of a feed-forward network.
    pub fn gate_up(gate: TensorRef, up: TensorRef) -> Self {
        Self { parts: vec![gate, up], arrangement: Arrangement::GateUp }
    }

    /// Rows of all parts.
    pub fn n_rows(&self) -> usize {
        self.parts.iter().map(|part| part.shape[0]).sum()
    }
}

/// A root-mean-square norm.
#[derive(Debug, Clone, PartialEq)]
pub struct Norm {
    /// Its weight vector.
    pub weight: TensorRef,
    /// Added to the mean square.
    pub eps: f32,
}

/// A norm in front of projections.
#[derive(Debug, Clone, PartialEq)]
pub struct PreNorm {
    /// The norm.
    pub norm: Norm,
    /// Where steps of several tokens keep the normalised rows; those of one normalise in the projections.
    pub output: Register,
}

/// Tokens to rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedding {
    /// A row for each token id.
    pub weight: Weight,
    /// Where the rows go.
    pub output: Register,
}

/// What happens to a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// It becomes the output, with a bias where there is one: a vector for each part of the weight.
    Store(Option<Vec<TensorRef>>),
    /// It is added to the output.
    Add,
    /// `silu(gate) * up` becomes the output; the weight is [`Arrangement::GateUp`].
    SiluMul,
}

impl Then {
    /// The parts of the bias, if there is one.
    pub fn bias(&self) -> Option<&[TensorRef]> {
        match self {
            Self::Store(bias) => bias.as_deref(),
            Self::Add | Self::SiluMul => None,
        }
    }
}

/// A linear projection with what surrounds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection {
    /// Applied to the input first.
    pub norm: Option<PreNorm>,
    /// Where the rows come from.
    pub input: Register,
    /// The matrix.
    pub weight: Weight,
    /// Where the rows go.
    pub output: Register,
    /// What happens to the product.
    pub then: Then,
}

impl Projection {
    /// A projection that is added to what is there.
    pub fn add(input: Register, weight: Weight, output: Register) -> Self {
        Self { norm: None, input, weight, output, then: Then::Add }
    }

    /// Numbers in a row that it gives.
    pub fn n_outputs(&self) -> usize {
        match self.then {
            Then::SiluMul => self.weight.parts[0].shape[0],
            Then::Store(_) | Then::Add => self.weight.n_rows(),
        }
    }
}

/// QK-norm, rotary embedding and cache write of a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotation {
    /// Layer whose cache is written.
    pub layer: usize,
    /// Norms of queries and keys per head.
    pub qk_norm: Option<(Norm, Norm)>,
    /// Queries, keys and values side by side, as projected.
    pub input: Register,
    /// Where the queries go.
    pub queries: Register,
}

/// Attention of a layer over its cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attention {
    /// Layer whose cache is read.
    pub layer: usize,
    /// Keys that a query sees, itself included; `None`: all.
    pub window: Option<usize>,
    /// Rotated queries.
    pub queries: Register,
    /// Where the sums of values go.
    pub output: Register,
}

/// What the weights of the chosen experts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopKWeights {
    /// Their softmax over all experts.
    Softmax,
    /// The same, divided by its sum over the chosen ones.
    Renormalised,
}

/// One feed-forward network of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expert {
    /// Gate and up.
    pub gate_up: Weight,
    /// Down.
    pub down: Weight,
}

/// An expert that every token goes to, times `sigmoid(gate . x)`; the gate is the last row of the router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedExpert {
    /// Inner width.
    pub intermediate_size: usize,
    /// Its matrices.
    pub expert: Expert,
    /// Between them.
    pub inner: Register,
}

/// A sparse mixture of experts, added to its input.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixture {
    /// Applied to the input first.
    pub norm: PreNorm,
    /// Its input, to which its output is added.
    pub stream: Register,
    /// What the router gives.
    pub router_logits: Register,
    /// Between an expert's matrices, in rows of slots.
    pub inner: Register,
    /// What the experts give, in rows of slots.
    pub outputs: Register,
    /// `[n_experts, hidden_size]`, and a row more with a shared expert.
    pub router: Weight,
    /// Experts that a token goes to.
    pub top_k: usize,
    /// How they are weighed.
    pub weights: TopKWeights,
    /// Inner width of an expert.
    pub intermediate_size: usize,
    /// All of them.
    pub experts: Vec<Expert>,
    /// The one for every token.
    pub shared: Option<SharedExpert>,
}

/// One operation of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Tokens to rows.
    Embed(Embedding),
    /// A projection.
    Project(Projection),
    /// From projected heads to queries and the cache.
    Rotate(Rotation),
    /// From queries and the cache to sums of values.
    Attend(Attention),
    /// A mixture of experts.
    Mix(Mixture),
}

/// What happens to an output layer's product and bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadThen {
    /// Nothing.
    Store,
    /// `max(a, 0)`
    Relu,
}

/// A linear layer after the final norm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadLayer {
    /// The matrix.
    pub weight: Weight,
    /// Its bias.
    pub bias: Option<TensorRef>,
    /// What follows.
    pub then: HeadThen,
    /// Where the rows go.
    pub output: Register,
}

/// Which tokens a classification head is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scored {
    /// The last one that is no padding.
    LastToken,
    /// Every one; the last one's scores stand for the text.
    EveryToken,
    /// Those that end a step of a solution.
    Steps,
}

/// What the last output layer gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outputs {
    /// Logits of the next token.
    Logits,
    /// Scores of a reward or classification model.
    Scores {
        /// How many each.
        n_labels: usize,
        /// Of which tokens.
        of: Scored,
        /// Padding that is skipped from the end.
        pad_token: Option<u32>,
    },
    /// The normalised states themselves: an embedding model without an output matrix.
    States,
}

/// What follows the last layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The residual stream.
    pub input: Register,
    /// The final norm.
    pub norm: Norm,
    /// Where the normalised rows of a step's outputs go.
    pub states: Register,
    /// What is applied to the normalised states, in order.
    pub layers: Vec<HeadLayer>,
    /// What comes out.
    pub outputs: Outputs,
}

impl Head {
    /// Where what comes out lies.
    pub fn output(&self) -> Register {
        self.layers.last().map_or(self.states, |layer| layer.output)
    }

    /// Numbers that come out for a token.
    pub fn width(&self, dims: &Dims) -> usize {
        self.layers.last().map_or(dims.hidden_size, |layer| layer.weight.n_rows())
    }
}

/// Which tokens a token sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Those before it.
    Causal,
    /// All: an embedding model that cannot generate.
    Both,
}

/// A model as a list of operations.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The family's name.
    pub architecture: &'static str,
    /// Sizes.
    pub dims: Dims,
    /// Positions.
    pub rope: crate::Rope,
    /// Which tokens a token sees, as far as windows let it.
    pub direction: Direction,
    /// What operations leave for each other.
    pub registers: Registers,
    /// A step up to the residual stream of the last layer.
    pub ops: Vec<Op>,
    /// Final norm and logits.
    pub head: Head,
}

impl Plan {
    /// The mixtures of experts, in order.
    pub fn mixtures(&self) -> impl Iterator<Item = &Mixture> {
        self.ops.iter().filter_map(|op| match op {
            Op::Mix(mixture) => Some(mixture),
            _ => None,
        })
    }

    /// The plan of a checkpoint that ends with the final norm: an embedding model saved without its output matrix.
    #[must_use]
    pub fn without_logits(mut self) -> Self {
        self.head.layers.clear();
        self.head.outputs = Outputs::States;
        // those of the output layers come last
        self.registers.keep_up_to(self.head.states);
        self
    }
}
