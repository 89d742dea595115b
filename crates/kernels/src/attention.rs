//! Rotation, cache writes and attention.

mod cost;

use bytemuck::NoUninit;
use minijinja::context;
use qwill_gpu::{Binding, Buffer, Grid, KernelSource};

use crate::{Error, Kernels, KvType, Launch, PAGE, StepShape, Templates, Tuning};

const ROTATE_WORKGROUP: u32 = 64;
/// Tokens that a workgroup of decode attention scores at a time, one an invocation.
const DECODE_BLOCK: usize = 64;

/// Angles of one position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotaryRows {
    /// How many; the first one turns keys.
    pub per_position: usize,
    /// The first that turns queries.
    pub first_query: usize,
    /// Queries that are made of each query.
    pub n_queries: usize,
}

/// Shape of a layer's rotation and cache write.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rotate {
    /// Query heads.
    pub n_heads: usize,
    /// Key/value heads.
    pub n_kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// Leading elements of a head that rotate.
    pub rotary_dim: usize,
    /// Angles of a position.
    pub rows: RotaryRows,
    /// Factor on the queries, usually `head_dim^-0.5`.
    pub scale: f32,
    /// Eps of the QK-norm.
    pub eps: f32,
    /// Cache format.
    pub kv: KvType,
}

impl Rotate {
    /// Refuses what no kernel does.
    pub(crate) fn check(&self) -> Result<(), Error> {
        check_head_dim(self.head_dim)?;
        if !self.rotary_dim.is_multiple_of(8) || self.rotary_dim > self.head_dim {
            return Err(Error::Shape(format!(
                "rotary width {} of head_dim {} is not supported; multiples of 8 up to head_dim are",
                self.rotary_dim, self.head_dim
            )));
        }
        Ok(())
    }
}

/// Buffers of [`Kernels::rotate_heads`].
#[derive(Debug, Clone, Copy)]
pub struct RotateBuffers<'a> {
    /// [`crate::StepParts`].
    pub step: &'a Buffer,
    /// `[n_tokens, align_row((n_heads + 2 n_kv_heads) head_dim)]`.
    pub qkv: &'a Buffer,
    /// `[n_tokens, rows.n_queries, n_heads head_dim]`.
    pub q: &'a Buffer,
    /// Keys of the layer.
    pub k_cache: &'a Buffer,
    /// Values of the layer.
    pub v_cache: &'a Buffer,
    /// Weights of the QK-norm, `[2, head_dim]`: those of queries, then those of keys.
    pub qk_norm: Option<&'a Buffer>,
}

/// Which keys a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// All up to its own.
    Causal,
    /// The last so many up to its own, itself included.
    Window(usize),
    /// All up to its own, through one of three queries: for keys of its own chunk of so many tokens, of the one before,
    /// and further back (dual chunk attention, arXiv 2402.17463).
    DualChunks(usize),
    /// All of its span: for sequences that are whole in a step.
    Bidirectional,
}

impl Visibility {
    /// Queries that a head has for each token.
    pub(crate) fn n_queries(self) -> usize {
        if matches!(self, Self::DualChunks(_)) { 3 } else { 1 }
    }
}

/// Shape of a layer's attention.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attend {
    /// Query heads.
    pub n_heads: usize,
    /// Key/value heads.
    pub n_kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// Keys that a query sees.
    pub visibility: Visibility,
    /// Cache format.
    pub kv: KvType,
}

impl Attend {
    /// Refuses what no kernel does.
    pub(crate) fn check(&self) -> Result<(), Error> {
        check_head_dim(self.head_dim)
    }

    fn window(&self) -> u32 {
        if let Visibility::Window(n) = self.visibility { n as u32 } else { 0 }
    }

    fn stride(&self) -> u32 {
        if let Visibility::DualChunks(n) = self.visibility { n as u32 } else { 1 }
    }

    fn has_dual_chunks(&self) -> bool {
        matches!(self.visibility, Visibility::DualChunks(_))
    }

    /// Words for it.
    fn detail(&self) -> String {
        let Self { n_heads, n_kv_heads, head_dim, kv, .. } = self;
        format!("d{head_dim} {n_heads}/{n_kv_heads} {}", kv.name())
    }

    /// Part of a kernel's name.
    fn mask_name(&self) -> &'static str {
        match self.visibility {
            Visibility::Causal | Visibility::Window(_) => "causal",
            Visibility::DualChunks(_) => "dual_chunks",
            Visibility::Bidirectional => "bidirectional",
        }
    }
}

/// Buffers of attention.
#[derive(Debug, Clone, Copy)]
pub struct AttendBuffers<'a> {
    /// [`crate::StepParts`].
    pub step: &'a Buffer,
    /// Scaled and rotated queries `[n_tokens, n_queries, n_heads head_dim]`.
    pub q: &'a Buffer,
    /// Keys of the layer.
    pub k_cache: &'a Buffer,
    /// Values of the layer.
    pub v_cache: &'a Buffer,
    /// Output `[n_tokens, align_row(n_heads head_dim)]`.
    pub y: &'a Buffer,
    /// Unfinished sums of decode, `[n_spans, n_heads, max_splits, head_dim]`.
    pub partial: &'a Buffer,
    /// Their maxima and masses, `[n_spans, n_heads, max_splits, 2]`.
    pub stats: &'a Buffer,
}

#[repr(C)]
#[derive(Clone, Copy, NoUninit)]
struct RotateParams {
    n_heads: u32,
    n_kv_heads: u32,
    qkv_stride: u32,
    q_stride: u32,
    eps: f32,
    scale: f32,
}

#[repr(C)]
#[derive(Clone, Copy, NoUninit)]
struct DecodeParams {
    n_kv_heads: u32,
    max_splits: u32,
    window: u32,
    stride: u32,
}

#[repr(C)]
#[derive(Clone, Copy, NoUninit)]
struct MergeParams {
    max_splits: u32,
    y_stride: u32,
    window: u32,
}

#[repr(C)]
#[derive(Clone, Copy, NoUninit)]
struct PrefillParams {
    n_heads: u32,
    n_kv_heads: u32,
    q_stride: u32,
    y_stride: u32,
    window: u32,
    stride: u32,
}

impl Tuning {
    /// Splits that decode attention with `n_kv` keys takes at most: a block of tokens each, or more where there is enough to
    /// do without. Pass that of the longest context to [`Kernels::attend_decode`].
    pub fn decode_splits(&self, n_heads: usize, n_kv_heads: usize, n_kv: usize) -> usize {
        let sharers = n_heads / heads_together(n_heads / n_kv_heads);
        n_kv.div_ceil(DECODE_BLOCK).min(self.attend_workgroups.best().div_ceil(sharers))
    }
}

/// Query heads of a KV head that one workgroup of decode attention takes, of `group`: the largest divisor that leaves
/// registers for more than a few workgroups at a time.
fn heads_together(group: usize) -> usize {
    (1..=8).rev().find(|heads| group.is_multiple_of(*heads)).unwrap_or(1)
}

/// Splits of a sequence with `n_kv` keys.
fn splits_of(n_kv: u32, max_splits: u32) -> u32 {
    n_kv.div_ceil(DECODE_BLOCK as u32).min(max_splits)
}

fn check_head_dim(head_dim: usize) -> Result<(), Error> {
    if head_dim.is_multiple_of(8) && (8..=256).contains(&head_dim) {
        return Ok(());
    }
    Err(Error::Shape(format!("head_dim {head_dim} is not supported; multiples of 8 up to 256 are")))
}

pub(crate) fn rotate_source(templates: &Templates, shape: &Rotate, qk_norm: bool) -> KernelSource {
    let mut bindings = vec![Binding::Params(size_of::<RotateParams>()), Binding::Read, Binding::Read];
    bindings.extend([Binding::ReadWrite; 3]);
    if qk_norm {
        bindings.push(Binding::Read);
    }
    KernelSource {
        name: format!(
            "rotate_heads d{} r{} rows{} kv={} qk_norm={qk_norm}",
            shape.head_dim,
            shape.rotary_dim,
            shape.rows.per_position,
            shape.kv.name()
        ),
        wgsl: templates.render(
            "attention/rotate_heads.wgsl",
            context! {
                page => PAGE,
                head_dim => shape.head_dim,
                rotary_dim => shape.rotary_dim,
                rows => shape.rows.per_position,
                first_query => shape.rows.first_query,
                queries => shape.rows.n_queries,
                kv => shape.kv.name(),
                units => shape.kv.units(shape.head_dim),
                qk_norm,
            },
        ),
        bindings,
        constants: vec![],
    }
}

pub(crate) fn decode_source(templates: &Templates, shape: &Attend) -> KernelSource {
    let heads = heads_together(shape.n_heads / shape.n_kv_heads);
    KernelSource {
        name: format!(
            "attend_decode {} d{} heads{heads} kv={}",
            shape.mask_name(),
            shape.head_dim,
            shape.kv.name()
        ),
        wgsl: templates.render(
            "attention/attend_decode.wgsl",
            context! {
                page => PAGE,
                head_dim => shape.head_dim,
                heads,
                block => DECODE_BLOCK,
                // as many as fit beside each other and divide a page
                slices => 1 << (64 / (shape.head_dim / 4)).ilog2(),
                dual_chunks => shape.has_dual_chunks(),
                kv => shape.kv.name(),
                units => shape.kv.units(shape.head_dim),
                kv_binding => 5,
            },
        ),
        bindings: vec![
            Binding::Params(size_of::<DecodeParams>()),
            Binding::Read,
            Binding::Read,
            Binding::ReadWrite,
            Binding::ReadWrite,
            Binding::Read,
            Binding::Read,
        ],
        constants: vec![],
    }
}

pub(crate) fn merge_source(templates: &Templates, head_dim: usize) -> KernelSource {
    KernelSource {
        name: format!("attend_merge d{head_dim}"),
        wgsl: templates.render("attention/attend_merge.wgsl", context! { head_dim, block => DECODE_BLOCK }),
        bindings: vec![
            Binding::Params(size_of::<MergeParams>()),
            Binding::Read,
            Binding::Read,
            Binding::Read,
            Binding::ReadWrite,
        ],
        constants: vec![],
    }
}

/// Tokens of a tile of prefill attention; what is left of 16 KiB holds the scores.
pub fn prefill_rows(head_dim: usize) -> usize {
    if head_dim <= 128 { 16 } else { 8 }
}

pub(crate) fn prefill_source(templates: &Templates, shape: &Attend) -> KernelSource {
    let rows = prefill_rows(shape.head_dim);
    let groups = rows.min(128 / (shape.head_dim / 4));
    KernelSource {
        name: format!(
            "attend_prefill {} d{} rows{rows} kv={}",
            shape.mask_name(),
            shape.head_dim,
            shape.kv.name()
        ),
        wgsl: templates.render(
            "attention/attend_prefill.wgsl",
            context! {
                page => PAGE,
                head_dim => shape.head_dim,
                rows,
                groups,
                dual_chunks => shape.has_dual_chunks(),
                bidirectional => shape.visibility == Visibility::Bidirectional,
                kv => shape.kv.name(),
                units => shape.kv.units(shape.head_dim),
                kv_binding => 4,
            },
        ),
        bindings: vec![
            Binding::Params(size_of::<PrefillParams>()),
            Binding::Read,
            Binding::Read,
            Binding::ReadWrite,
            Binding::Read,
            Binding::Read,
        ],
        constants: vec![],
    }
}

impl Kernels {
    /// Binds [`Self::rotate_heads`].
    pub(crate) async fn bind_rotate_heads(
        &mut self,
        shape: &Rotate,
        buffers: &RotateBuffers<'_>,
    ) -> Result<Launch, Error> {
        let source = rotate_source(&self.templates, shape, buffers.qk_norm.is_some());
        let n_all = shape.n_heads + 2 * shape.n_kv_heads;
        let params = RotateParams {
            n_heads: shape.n_heads as u32,
            n_kv_heads: shape.n_kv_heads as u32,
            qkv_stride: (crate::align_row(n_all * shape.head_dim) / 4) as u32,
            q_stride: (shape.n_heads * shape.head_dim / 4) as u32,
            eps: shape.eps,
            scale: shape.scale,
        };
        let mut bound = vec![buffers.step, buffers.qkv, buffers.q, buffers.k_cache, buffers.v_cache];
        bound.extend(buffers.qk_norm);
        let per_token = (n_all * shape.head_dim / 8) as u32;
        let launch = self
            .launch("rotate_heads", &source, Some(&params), &bound, move |step| {
                Grid::folded((step.n_tokens * per_token).div_ceil(ROTATE_WORKGROUP))
            })
            .await?;
        let cost = shape.cost(buffers.qk_norm.is_some());
        let detail = format!("d{} {} to {}", shape.head_dim, n_all, shape.kv.name());
        Ok(launch.costing(detail, move |step| cost * step.n_tokens))
    }

    /// Binds [`Self::attend_decode`].
    pub(crate) async fn bind_attend_decode(
        &mut self,
        shape: &Attend,
        buffers: &AttendBuffers<'_>,
        max_splits: usize,
    ) -> Result<[Launch; 2], Error> {
        let max_splits = max_splits as u32;
        let params = DecodeParams {
            n_kv_heads: shape.n_kv_heads as u32,
            max_splits,
            window: shape.window(),
            stride: shape.stride(),
        };
        let sharers = (shape.n_heads / heads_together(shape.n_heads / shape.n_kv_heads)) as u32;
        let source = decode_source(&self.templates, shape);
        let bound =
            [buffers.step, buffers.q, buffers.partial, buffers.stats, buffers.k_cache, buffers.v_cache];
        let attend = self
            .launch("attend_decode", &source, Some(&params), &bound, move |step: &StepShape| {
                let longest = step.singles().iter().map(|span| splits_of(span.n_kv, max_splits)).max();
                Grid([longest.unwrap_or(0), sharers, step.singles().len() as u32])
            })
            .await?;
        let (detail, costs) = (shape.detail(), *shape);
        let attend = attend.costing(detail.clone(), move |step| costs.decode_cost(step, max_splits));
        let source = merge_source(&self.templates, shape.head_dim);
        let y_stride = (crate::align_row(shape.n_heads * shape.head_dim) / 4) as u32;
        let params = MergeParams { max_splits, y_stride, window: shape.window() };
        let (vec4s, n_heads) = (shape.head_dim.div_ceil(4 * 8) as u32, shape.n_heads as u32);
        let grid = move |step: &StepShape| Grid([vec4s, n_heads, step.singles().len() as u32]);
        let bound = [buffers.step, buffers.partial, buffers.stats, buffers.y];
        let merge = self.launch("attend_merge", &source, Some(&params), &bound, grid).await?;
        let merge = merge.costing(detail, move |step| costs.merge_cost(step, max_splits));
        Ok([attend, merge])
    }

    /// Binds [`Self::attend_prefill`].
    pub(crate) async fn bind_attend_prefill(
        &mut self,
        shape: &Attend,
        buffers: &AttendBuffers<'_>,
    ) -> Result<Launch, Error> {
        let source = prefill_source(&self.templates, shape);
        let width = shape.n_heads * shape.head_dim;
        let params = PrefillParams {
            n_heads: shape.n_heads as u32,
            n_kv_heads: shape.n_kv_heads as u32,
            q_stride: (width / 4) as u32,
            y_stride: (crate::align_row(width) / 4) as u32,
            window: shape.window(),
            stride: shape.stride(),
        };
        let bound = [buffers.step, buffers.q, buffers.y, buffers.k_cache, buffers.v_cache];
        let n_heads = shape.n_heads as u32;
        let grid = move |step: &StepShape| Grid([step.n_tiles, n_heads, 1]);
        let launch = self.launch("attend_prefill", &source, Some(&params), &bound, grid).await?;
        let costs = *shape;
        Ok(launch.costing(shape.detail(), move |step| costs.prefill_cost(step)))
    }
}
