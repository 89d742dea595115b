//! Tokens sorted by expert, for a GEMM that takes an expert's tokens together.

use bytemuck::NoUninit;
use minijinja::context;
use qwill_gpu::{Binding, Buffer, Grid, KernelSource};

use crate::routing::MAX_EXPERTS;
use crate::{Cost, Error, Kernels, Launch, Routing, Templates, Tuning};

/// How the tokens of a step are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grouping {
    /// How tokens choose experts.
    pub routing: Routing,
    /// Tokens in a step, at most.
    pub max_tokens: usize,
    /// Assignments that a tile holds, at most.
    pub tile_m: u32,
}

impl Grouping {
    /// For steps of at most `max_tokens`, in tiles of the size that a device's tuning gives them.
    pub fn new(routing: Routing, max_tokens: usize, tuning: &Tuning) -> Self {
        let tile_m = tuning.experts_tile_m(max_tokens * routing.top_k, routing.n_experts);
        Self { routing, max_tokens, tile_m }
    }

    /// Tiles that a step of `n_tokens` needs, at most: one expert's last tile may have a single token, and every expert
    /// may have such a tile.
    pub fn max_tiles(&self, n_tokens: usize) -> usize {
        let tile_m = self.tile_m as usize;
        let assignments = n_tokens * self.routing.top_k;
        let used_experts = self.routing.n_experts.min(assignments);
        (used_experts + (assignments - used_experts) / tile_m).min(used_experts * n_tokens.div_ceil(tile_m))
    }

    /// Size of [`Groups::assignments`], bytes.
    pub fn assignments_bytes(&self) -> usize {
        self.max_tokens * self.routing.top_k * 4
    }

    /// Size of [`Groups::tiles`], bytes.
    pub fn tiles_bytes(&self) -> usize {
        self.max_tiles(self.max_tokens) * 12
    }

    /// Refuses what no kernel does.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.routing.check()?;
        let (tiles, most) = (self.max_tiles(self.max_tokens), Grid::MAX as usize);
        if tiles > most {
            return Err(Error::Shape(format!(
                "steps of {} tokens need up to {tiles} tiles of tokens by expert; at most {most} fit a dispatch, so \
                 steps must be shorter",
                self.max_tokens
            )));
        }
        Ok(())
    }
}

/// The tokens of a step by expert, on the device.
#[derive(Debug, Clone)]
pub struct Groups {
    /// How they are grouped.
    pub grouping: Grouping,
    /// `[max_tokens * top_k]` u32: `token * top_k + slot`, sorted by expert; [`Grouping::assignments_bytes`].
    pub assignments: Buffer,
    /// `[max_tiles]` of (expert, first assignment, count) u32; [`Grouping::tiles_bytes`].
    pub tiles: Buffer,
}

#[repr(C)]
#[derive(Clone, Copy, NoUninit)]
struct Params {
    n_experts: u32,
    top_k: u32,
    n_slots: u32,
    tile_m: u32,
    max_tiles: u32,
}

pub(crate) fn source(templates: &Templates, wg: u32) -> KernelSource {
    KernelSource {
        name: format!("group_tokens wg{wg}"),
        wgsl: templates.render("moe/group_tokens.wgsl", context! { wg, max_experts => MAX_EXPERTS }),
        bindings: vec![
            Binding::Params(size_of::<Params>()),
            Binding::Read,
            Binding::Read,
            Binding::ReadWrite,
            Binding::ReadWrite,
        ],
        constants: vec![],
    }
}

pub(crate) async fn bind(
    kernels: &mut Kernels,
    step: &Buffer,
    routes: &Buffer,
    groups: &Groups,
    source: &KernelSource,
) -> Result<Launch, Error> {
    let Groups { grouping, assignments, tiles } = groups;
    let params = Params {
        n_experts: grouping.routing.n_experts as u32,
        top_k: grouping.routing.top_k as u32,
        n_slots: grouping.routing.n_slots() as u32,
        tile_m: grouping.tile_m,
        max_tiles: grouping.max_tiles(grouping.max_tokens) as u32,
    };
    let buffers = [step, routes, assignments, tiles];
    let launch = kernels.launch("group_tokens", source, Some(&params), &buffers, |_| Grid([1, 1, 1])).await?;
    let Grouping { routing, .. } = *grouping;
    let token = Cost::bytes(8 * routing.n_slots() + 4 * routing.top_k);
    Ok(launch.costing(routing.detail(), move |step| token * step.n_tokens))
}
