//! Weight matrices on the device and the ways a projection uses them.

use std::rc::Rc;

use qwill_gpu::Buffer;
use qwill_weights::Layout;

use crate::{Error, RowOrder};

/// Pads a row of `k` elements the way every matrix and activation is padded, elements.
pub fn align_row(k: usize) -> usize {
    k.next_multiple_of(32)
}

/// Consecutive rows of a matrix in buffers of their own, because a binding holds no more.
#[derive(Debug)]
pub struct Shard {
    /// First row.
    pub first_row: usize,
    /// Row count.
    pub n_rows: usize,
    /// One buffer for each stream of the layout.
    pub streams: Vec<Buffer>,
}

/// A weight matrix `[n_rows, k]` on the device.
#[derive(Debug)]
pub struct DeviceMatrix {
    /// How its values are stored.
    pub layout: Layout,
    /// Order of its rows.
    pub order: RowOrder,
    /// Rows, with the padding of [`RowOrder::GateUp`].
    pub n_rows: usize,
    /// Elements in a row, without padding.
    pub k: usize,
    /// The rows, in order.
    pub shards: Vec<Shard>,
}

impl DeviceMatrix {
    /// Units of 8 elements in a padded row.
    pub(crate) fn units(&self) -> u32 {
        (align_row(self.k) / 8) as u32
    }

    /// Bytes that `n_rows` rows take in all streams.
    pub fn row_bytes(&self, n_rows: usize) -> u64 {
        (0..self.layout.n_streams())
            .map(|s| self.layout.stream_row_words(s, self.k) as u64 * 4 * n_rows as u64)
            .sum()
    }

    /// Words for `n_rows` of its rows and what is done with their products.
    pub(crate) fn detail(&self, n_rows: usize, epilogue: Epilogue) -> String {
        format!("{} {n_rows}x{} {}", self.layout.name(), self.k, epilogue.name())
    }

    /// Bytes of the whole matrix.
    pub fn bytes(&self) -> u64 {
        self.row_bytes(self.n_rows)
    }
}

/// The root-mean-square norm that a projection applies to its input.
#[derive(Debug, Clone)]
pub struct FusedNorm {
    /// Weights `[k]`, padded with zeros to 32.
    pub gain: Buffer,
    /// Added to the mean square.
    pub eps: f32,
}

/// What happens to the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epilogue {
    /// `y = a (+ bias)`
    Store,
    /// `y = max(a (+ bias), 0)`
    Relu,
    /// `y += a`
    Add,
    /// `y += w * a` with the [`SlotWeight`] of the row.
    AddScaled,
    /// `y = s * a` with the [`Project::scale`] of the output.
    StoreScaled,
    /// `y = silu(gate) * up`, for matrices in [`RowOrder::GateUp`].
    SiluMul,
}

impl Epilogue {
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

    /// Whether it adds to what is there.
    pub(crate) fn reads_output(self) -> bool {
        matches!(self, Self::Add | Self::AddScaled)
    }

    /// Outputs of `n_rows` rows of the matrix.
    pub(crate) fn outputs(self, n_rows: usize) -> usize {
        if self == Self::SiluMul { n_rows / 2 } else { n_rows }
    }
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

/// A linear projection `y = W x` with what surrounds it.
#[derive(Debug, Clone)]
pub struct Project {
    /// The weights.
    pub matrix: Rc<DeviceMatrix>,
    /// Input `[rows, align_row(k)]` f32.
    pub x: Buffer,
    /// Output `[rows, y_stride]` f32.
    pub y: Buffer,
    /// Elements in a row of the output.
    pub y_stride: usize,
    /// Column of the output where this matrix's outputs start.
    pub first_output: usize,
    /// Bias over all outputs of `y`.
    pub bias: Option<Buffer>,
    /// What happens to the product.
    pub epilogue: Epilogue,
    /// The weights of the rows, for [`Epilogue::AddScaled`].
    pub slot_weight: Option<SlotWeight>,
    /// Factors of all outputs of `y`, f32, for [`Epilogue::StoreScaled`].
    pub scale: Option<Buffer>,
}

impl Project {
    /// Refuses what no kernel does.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.bias.is_some() && !self.epilogue.takes_bias() {
            return Err(Error::Shape(format!(
                "a bias goes with the epilogues store and relu, not with {}",
                self.epilogue.name()
            )));
        }
        match (self.epilogue, &self.slot_weight) {
            (Epilogue::AddScaled, None) => {
                return Err(Error::Shape("the epilogue add_scaled needs the weights of the rows".into()));
            }
            (Epilogue::AddScaled, Some(SlotWeight { slot, n_slots, .. })) if slot >= n_slots => {
                return Err(Error::Shape(format!("no slot {slot} among {n_slots}; the first is 0")));
            }
            (Epilogue::AddScaled, Some(_)) | (_, None) => {}
            (other, Some(_)) => {
                return Err(Error::Shape(format!(
                    "weights of rows go with the epilogue add_scaled, not with {}",
                    other.name()
                )));
            }
        }
        check_epilogue(self.epilogue, self.matrix.order, self.scale.as_ref())
    }
}

/// Refuses epilogues that do not go with the order of the rows, and factors that are missing or not used.
pub(crate) fn check_epilogue(
    epilogue: Epilogue,
    order: RowOrder,
    scale: Option<&Buffer>,
) -> Result<(), Error> {
    // stored as they are, gate and up rows give gate and up outputs in turns
    let fits = match order {
        RowOrder::GateUp => matches!(epilogue, Epilogue::SiluMul | Epilogue::Store),
        RowOrder::Plain => epilogue != Epilogue::SiluMul,
    };
    if !fits {
        return Err(Error::Shape(format!("rows in {order:?} order do not go with {}", epilogue.name())));
    }
    match (epilogue, scale) {
        (Epilogue::StoreScaled, None) => {
            Err(Error::Shape("the epilogue store_scaled needs the factors of the outputs".into()))
        }
        (Epilogue::StoreScaled, Some(_)) | (_, None) => Ok(()),
        (other, Some(_)) => Err(Error::Shape(format!(
            "factors of the outputs go with the epilogue store_scaled, not with {}",
            other.name()
        ))),
    }
}
