//! What a projection does with its products.

use qwill_gpu::Buffer;

use crate::{Error, RowOrder};

/// What happens to the product `a`, with what that needs.
#[derive(Debug, Clone)]
pub enum Epilogue {
    /// `y = a (+ bias)`, the bias over all outputs of `y`, f32.
    Store(Option<Buffer>),
    /// `y = max(a (+ bias), 0)`, the bias over all outputs of `y`, f32.
    Relu(Option<Buffer>),
    /// `y += a`
    Add,
    /// `y += w * a` with the weight of the row.
    AddScaled(SlotWeight),
    /// `y = s * t * a` with the factor `s` of the output and `t` of the token.
    StoreScaled(Scaling),
    /// `y = silu(gate) * up`, for matrices in [`RowOrder::GateUp`].
    SiluMul,
}

impl Epilogue {
    /// What it is without what it needs.
    pub fn kind(&self) -> EpilogueKind {
        match self {
            Self::Store(_) => EpilogueKind::Store,
            Self::Relu(_) => EpilogueKind::Relu,
            Self::Add => EpilogueKind::Add,
            Self::AddScaled(_) => EpilogueKind::AddScaled,
            Self::StoreScaled(_) => EpilogueKind::StoreScaled,
            Self::SiluMul => EpilogueKind::SiluMul,
        }
    }

    /// Whether a bias is added to the product.
    pub(crate) fn has_bias(&self) -> bool {
        matches!(self, Self::Store(Some(_)) | Self::Relu(Some(_)))
    }

    /// The weight of the row, if it counts.
    pub(crate) fn slot_weight(&self) -> Option<&SlotWeight> {
        match self {
            Self::AddScaled(weight) => Some(weight),
            _ => None,
        }
    }

    /// The buffers that it reads: bias, routes or factors.
    pub(crate) fn buffers(&self) -> impl Iterator<Item = &Buffer> {
        let buffers = match self {
            Self::Store(bias) | Self::Relu(bias) => [bias.as_ref(), None],
            Self::AddScaled(weight) => [Some(&weight.routes), None],
            Self::StoreScaled(Scaling { outputs, rows }) => [Some(outputs), Some(rows)],
            Self::Add | Self::SiluMul => [None, None],
        };
        buffers.into_iter().flatten()
    }
}

/// Factors of what is stored, f32.
#[derive(Debug, Clone)]
pub struct Scaling {
    /// One for each output of `y`; by experts for each row of all experts.
    pub outputs: Buffer,
    /// One for each row that is projected: each token of a step, or each of its outputs. The slots of a token share its
    /// factor.
    pub rows: Buffer,
}

/// Where [`Epilogue::AddScaled`] finds the weight of each row: in the routes that `route_experts` writes.
#[derive(Debug, Clone)]
pub struct SlotWeight {
    /// `[rows, n_slots]` of (expert, bits of its f32 weight).
    pub routes: Buffer,
    /// The slot whose weight counts.
    pub slot: usize,
    /// Slots of a row.
    pub n_slots: usize,
}

/// The kinds of [`Epilogue`]: what permutations and costs depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpilogueKind {
    /// [`Epilogue::Store`]
    Store,
    /// [`Epilogue::Relu`]
    Relu,
    /// [`Epilogue::Add`]
    Add,
    /// [`Epilogue::AddScaled`]
    AddScaled,
    /// [`Epilogue::StoreScaled`]
    StoreScaled,
    /// [`Epilogue::SiluMul`]
    SiluMul,
}

impl EpilogueKind {
    /// Every kind.
    pub(crate) const ALL: [Self; 6] =
        [Self::Store, Self::Relu, Self::Add, Self::AddScaled, Self::StoreScaled, Self::SiluMul];

    /// Its name in the shaders.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Relu => "relu",
            Self::Add => "add",
            Self::AddScaled => "add_scaled",
            Self::StoreScaled => "store_scaled",
            Self::SiluMul => "silu_mul",
        }
    }

    /// Whether a bias can be added to the product.
    pub(crate) fn takes_bias(self) -> bool {
        matches!(self, Self::Store | Self::Relu)
    }

    /// Buffers of factors that it reads.
    pub(crate) fn n_scales(self) -> usize {
        if self == Self::StoreScaled { 2 } else { 0 }
    }

    /// Whether it adds to what is there.
    pub(crate) fn reads_output(self) -> bool {
        matches!(self, Self::Add | Self::AddScaled)
    }

    /// Outputs of `n_rows` rows of the matrix.
    pub(crate) fn outputs(self, n_rows: usize) -> usize {
        if self == Self::SiluMul { n_rows / 2 } else { n_rows }
    }

    /// Refuses rows in an order that it does not go with.
    pub(crate) fn check_order(self, order: RowOrder) -> Result<(), Error> {
        // stored as they are, gate and up rows give gate and up outputs in turns
        let fits = match order {
            RowOrder::GateUp => matches!(self, Self::SiluMul | Self::Store),
            RowOrder::Plain => self != Self::SiluMul,
        };
        if fits {
            return Ok(());
        }
        Err(Error::Shape(format!("rows in {order:?} order do not go with {}", self.name())))
    }
}
