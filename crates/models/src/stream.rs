//! The registers of a decoder, and the operations that go from one to another.

use crate::plan::{Attention, Dims, Norm, Op, PreNorm, Projection, Rotation, Then, Weight};
use crate::registers::{Register, RegisterRows, Registers};

/// Registers that every decoder layer uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stream {
    /// The residual stream.
    pub(crate) hidden: Register,
    /// The same, normalised.
    pub(crate) normed: Register,
    /// Queries, keys and values as projected.
    pub(crate) qkv: Register,
    /// Rotated queries.
    pub(crate) queries: Register,
    /// What attention gives.
    pub(crate) attended: Register,
}

impl Stream {
    /// Makes them.
    pub(crate) fn new(registers: &mut Registers, dims: &Dims) -> Self {
        let heads = dims.n_heads * dims.head_dim;
        let mut tokens = |name, width| registers.named(name, RegisterRows::Tokens, width);
        Self {
            hidden: tokens("hidden states", dims.hidden_size),
            normed: tokens("normalised states", dims.hidden_size),
            qkv: tokens("projected heads", heads + 2 * dims.n_kv_heads * dims.head_dim),
            attended: tokens("attention output", heads),
            queries: registers.named("queries", RegisterRows::Queries, heads),
        }
    }

    /// A norm in front of what reads the residual stream.
    pub(crate) fn pre_norm(&self, norm: Norm) -> PreNorm {
        PreNorm { norm, output: self.normed }
    }

    /// A projection of the residual stream.
    pub(crate) fn project(&self, norm: Norm, weight: Weight, output: Register, then: Then) -> Op {
        Op::Project(Projection { norm: Some(self.pre_norm(norm)), input: self.hidden, weight, output, then })
    }

    /// A projection that is added to the residual stream.
    pub(crate) fn add(&self, input: Register, weight: Weight) -> Op {
        Op::Project(Projection::add(input, weight, self.hidden))
    }

    /// From projected heads to what attention gives.
    pub(crate) fn attend(
        &self,
        layer: usize,
        qk_norm: Option<(Norm, Norm)>,
        window: Option<usize>,
    ) -> [Op; 2] {
        let &Self { qkv: input, queries, attended: output, .. } = self;
        [
            Op::Rotate(Rotation { layer, qk_norm, input, queries }),
            Op::Attend(Attention { layer, window, queries, output }),
        ]
    }
}

/// Where the layers of a plan are made.
pub(crate) struct Layers<'a> {
    pub(crate) dims: &'a Dims,
    pub(crate) stream: Stream,
    pub(crate) registers: &'a mut Registers,
}

/// Where a feed-forward network of this width keeps its inner states.
pub(crate) fn inner_states(registers: &mut Registers, width: usize) -> Register {
    registers.named("feed-forward states", RegisterRows::Tokens, width)
}
