//! What a model does, in operations that name tensors and activations but no buffers.

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
    /// Inner width of the feed-forward network.
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
}

impl TensorRef {
    /// A tensor with both its names.
    pub fn new(hf: impl Into<String>, gguf: impl Into<String>, shape: &[usize]) -> Self {
        Self { hf: hf.into(), gguf: gguf.into(), shape: shape.to_vec() }
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
        Self { parts: vec![tensor], arrangement: Arrangement::Stacked }
    }
}

/// Activations of a step, each a matrix with a row for every token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activation {
    /// The residual stream.
    Hidden,
    /// Queries, keys and values side by side, as projected.
    Qkv,
    /// What attention returns.
    Attended,
    /// Inside the feed-forward network.
    Inner,
}

/// A root-mean-square norm.
#[derive(Debug, Clone, PartialEq)]
pub struct Norm {
    /// Its weight vector.
    pub weight: TensorRef,
    /// Added to the mean square.
    pub eps: f32,
}

/// What happens to a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It becomes the output.
    Store,
    /// It is added to the output.
    Add,
    /// `silu(gate) * up` becomes the output; the weight is [`Arrangement::GateUp`].
    SiluMul,
}

/// A linear projection with what surrounds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection {
    /// Applied to the input first.
    pub norm: Option<Norm>,
    /// Where the rows come from.
    pub input: Activation,
    /// The matrix.
    pub weight: Weight,
    /// Added to the product, one vector for each part of the weight.
    pub bias: Option<Vec<TensorRef>>,
    /// Where the rows go.
    pub output: Activation,
    /// What happens to the product.
    pub then: Then,
}

/// QK-norm, rotary embedding and cache write of a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotation {
    /// Layer whose cache is written.
    pub layer: usize,
    /// Norms of queries and keys per head.
    pub qk_norm: Option<(Norm, Norm)>,
}

/// Attention of a layer over its cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attention {
    /// Layer whose cache is read.
    pub layer: usize,
    /// Keys that a query sees, itself included; `None`: all.
    pub window: Option<usize>,
}

/// One operation of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Tokens to the residual stream.
    Embed(Weight),
    /// A projection.
    Project(Projection),
    /// From `Qkv` to queries and the cache.
    Rotate(Rotation),
    /// From queries and the cache to `Attended`.
    Attend(Attention),
}

/// What follows the last layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The final norm.
    pub norm: Norm,
    /// The output matrix, `[vocab_size, hidden_size]`.
    pub weight: Weight,
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
    /// A step up to the residual stream of the last layer.
    pub ops: Vec<Op>,
    /// Final norm and logits.
    pub head: Head,
}

impl Plan {
    /// Every tensor that the plan uses, each once, in order of use.
    pub fn tensors(&self) -> Vec<&TensorRef> {
        let mut all: Vec<&TensorRef> = Vec::new();
        for op in &self.ops {
            match op {
                Op::Embed(weight) => all.extend(&weight.parts),
                Op::Project(projection) => {
                    all.extend(projection.norm.as_ref().map(|n| &n.weight));
                    all.extend(&projection.weight.parts);
                    all.extend(projection.bias.iter().flatten());
                }
                Op::Rotate(rotation) => {
                    if let Some((q, k)) = &rotation.qk_norm {
                        all.extend([&q.weight, &k.weight]);
                    }
                }
                Op::Attend(_) => {}
            }
        }
        all.push(&self.head.norm.weight);
        all.extend(&self.head.weight.parts);
        let mut seen = std::collections::HashSet::new();
        all.retain(|tensor| seen.insert(&tensor.hf));
        all
    }

    /// Number of weights.
    pub fn n_params(&self) -> u64 {
        self.tensors().iter().map(|t| t.shape.iter().map(|&n| n as u64).product::<u64>()).sum()
    }
}
