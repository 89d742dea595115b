//! Low-rank adapters on the device: their matrices, and launches that add to those of the plan.
//!
//! At every site that an adapter changes, two launches follow the plan's: `t = scale * (A x)` of the same input, with its
//! norm, and `y += B t` into the same output. Parts of a stacked weight are done together: their `A` lie under each other,
//! and `B` is zero where a part's rows meet another's columns. Gate and up are stored before the activation for that.

use std::collections::HashMap;
use std::rc::Rc;

use qwill_gpu::{Buffer, Usage};
use qwill_kernels::{
    DeviceMatrix, Epilogue, ExpertProject, ExpertRows, GEMM_MAX_TILE_M, Launch, NormRows, Project, RowOrder,
    align_row, embed_rows, silu_mul,
};
use qwill_models::step::Step;
use qwill_weights::{DType, Layout, quantize, repack};

use super::buffers::Steering;
use super::stage::{Additions, Apart, BySize, ExpertWork, Stage, Target, Work};
use super::{Engine, MAX_OUTPUTS};
use crate::Error;
use crate::loader::{MatrixShape, allocate, rows_on_device};
use crate::lora::{AdapterInfo, Factors, LoraFile};

/// Numbers of adapters, and the bits of their scales.
type AdapterSet = Vec<(u64, u32)>;

/// An adapter on the device.
struct Adapter {
    /// Never used again.
    id: u64,
    info: AdapterInfo,
    layers: Additions,
    head: Additions,
    /// Factors of `A x` in buffers, and what they are at scale 1.
    scales: Vec<(Buffer, Vec<f32>)>,
    /// The scale that the buffers hold.
    written: Option<f32>,
}

/// All adapters of an engine, and what they share.
#[derive(Default)]
pub(super) struct Adapters {
    loaded: Vec<Adapter>,
    /// What steps use now.
    active: AdapterSet,
    /// `A x` by rank, `[rows, align_row(rank)]` f32. A buffer a rank, so that what pads the rows is never written.
    reduced: HashMap<usize, Buffer>,
    /// Gate and up before the activation.
    wide: Option<Buffer>,
}

impl Adapters {
    /// What the adapters in use add to the layers.
    pub(super) fn layers(&self) -> Vec<&Additions> {
        self.in_use().map(|adapter| &adapter.layers).collect()
    }

    /// What the adapters in use add to the output layers.
    pub(super) fn head(&self) -> Vec<&Additions> {
        self.in_use().map(|adapter| &adapter.head).collect()
    }

    fn in_use(&self) -> impl Iterator<Item = &Adapter> {
        let is_active = |adapter: &&Adapter| self.active.iter().any(|(id, _)| *id == adapter.id);
        self.loaded.iter().filter(is_active)
    }
}

/// Puts an adapter's matrices on the device while its launches are bound.
struct Binder<'e> {
    engine: &'e mut Engine,
    scales: Vec<(Buffer, Vec<f32>)>,
    info: AdapterInfo,
}

/// One of the stages that adapters change.
#[derive(Debug, Clone, Copy)]
enum Part {
    Layers,
    Head,
}

impl Engine {
    fn stage(&self, part: Part) -> &Stage {
        match part {
            Part::Layers => &self.layers,
            Part::Head => &self.head,
        }
    }

    fn stage_mut(&mut self, part: Part) -> &mut Stage {
        match part {
            Part::Layers => &mut self.layers,
            Part::Head => &mut self.head,
        }
    }

    /// Makes room that steps need while an adapter is in use; a buffer that no step of this size could bind is an error.
    async fn room(&self, label: &str, rows: usize, stride: usize) -> Result<Buffer, Error> {
        let (bytes, most) = (rows as u64 * stride as u64 * 4, self.gpu.caps().max_binding);
        if bytes > most {
            return Err(Error::Request(format!(
                "this adapter needs {bytes} bytes for {label} of {} tokens, but a binding of this device holds {most}; load \
                 the model with a shorter prefill chunk, at most {} tokens",
                self.options.chunk,
                self.options.chunk as u64 * most / bytes
            )));
        }
        Ok(self.gpu.buffer(label, bytes, Usage::Storage).await?)
    }

    /// Rows of a step's activations, and of those of experts.
    fn step_rows(&self) -> (usize, usize) {
        let top_k = self.plan.mixtures().map(|mixture| mixture.top_k).max().unwrap_or(0);
        (self.options.chunk.next_multiple_of(GEMM_MAX_TILE_M as usize), self.options.chunk * top_k)
    }

    /// The buffer for `A x` of a rank.
    async fn reduced(&mut self, rank: usize) -> Result<Buffer, Error> {
        if let Some(buffer) = self.adapters.reduced.get(&rank) {
            return Ok(buffer.clone());
        }
        let (dense, experts) = self.step_rows();
        let rows = dense.max(experts).max(MAX_OUTPUTS.next_multiple_of(GEMM_MAX_TILE_M as usize));
        let buffer = self.room("the reduced states", rows, align_row(rank)).await?;
        self.adapters.reduced.insert(rank, buffer.clone());
        Ok(buffer)
    }

    /// The buffer for gate and up before the activation, large enough for every site.
    async fn wide(&mut self) -> Result<Buffer, Error> {
        if let Some(buffer) = &self.adapters.wide {
            return Ok(buffer.clone());
        }
        let (dense, experts) = self.step_rows();
        let sites = self.layers.sites.iter().map(|site| &site.target).filter(|target| target.is_gate_up());
        let sizes = sites.map(|target| match target.work {
            Work::Experts(_) => (experts, rows_on_device(&target.weights[0])),
            Work::Embed | Work::Project { .. } => (dense, rows_on_device(&target.weights[0])),
        });
        let (rows, stride) = sizes.max_by_key(|(rows, stride)| rows * stride).unwrap_or_default();
        let buffer = self.room("gate and up", rows, stride).await?;
        Ok(self.adapters.wide.insert(buffer).clone())
    }

    /// Gate and up of a site into [`Self::wide`], and the activation from there.
    async fn gate_up_apart(&mut self, target: &Target) -> Result<Apart, Error> {
        let wide = self.wide().await?;
        let stride = rows_on_device(&target.weights[0]);
        let (gate_up, y, y_stride, rows_per_token) = match &target.work {
            Work::Experts(work) => {
                let ExpertWork { one, many, norm } = &**work;
                let store = |base: &ExpertProject| ExpertProject {
                    epilogue: Epilogue::Store(None),
                    y: wide.clone(),
                    y_stride: stride,
                    ..base.clone()
                };
                let work = ExpertWork { one: store(one), many: store(many), norm: norm.clone() };
                (self.bind_experts(&work).await?, &one.y, one.y_stride, one.routing.top_k)
            }
            Work::Project { projects, norm, rows } => {
                let mut launches = BySize::<Vec<Launch>>::default();
                for base in projects {
                    let store = Project {
                        epilogue: Epilogue::Store(None),
                        y: wide.clone(),
                        y_stride: stride,
                        ..base.clone()
                    };
                    launches.append(self.bind_project(&store, norm.as_ref(), *rows).await?);
                }
                (launches, &projects[0].y, projects[0].y_stride, 1)
            }
            Work::Embed => return Err(Error::Kernel("an embedding has no gate".into())),
        };
        let mut activate = BySize::<Vec<Launch>>::default();
        for launches in activate.all_mut() {
            let kernels = &mut self.kernels;
            launches.push(silu_mul(kernels, &wide, stride, rows_per_token, y, y_stride).await?);
        }
        Ok(Apart { gate_up, activate })
    }

    /// Uploads an adapter, which spans know by a number, and binds its launches.
    pub(crate) async fn load_adapter(
        &mut self,
        file: &LoraFile,
        name: &str,
        id: u64,
    ) -> Result<AdapterInfo, Error> {
        let adapter = self.bind_adapter(file, name, id).await.inspect_err(|_| self.free_unused())?;
        let info = adapter.info.clone();
        self.adapters.loaded.push(adapter);
        Ok(info)
    }

    async fn bind_adapter(&mut self, file: &LoraFile, name: &str, id: u64) -> Result<Adapter, Error> {
        let info = AdapterInfo { name: name.to_owned(), n_params: 0, device_bytes: 0 };
        let mut binder = Binder { engine: self, scales: Vec::new(), info };
        let layers = binder.bind_stage(file, Part::Layers).await?;
        let head = binder.bind_stage(file, Part::Head).await?;
        binder.check_modules(file)?;
        let Binder { scales, info, .. } = binder;
        self.gpu.flush().await?;
        Ok(Adapter { id, info, layers, head, scales, written: None })
    }

    /// Gives back what adapters share when there are none.
    fn free_unused(&mut self) {
        if self.adapters.loaded.is_empty() {
            self.adapters.reduced.clear();
            self.adapters.wide = None;
            for site in self.layers.sites.iter_mut().chain(&mut self.head.sites) {
                site.apart = None;
            }
        }
    }

    /// Frees an adapter.
    pub(crate) fn unload_adapter(&mut self, id: u64) {
        self.adapters.loaded.retain(|adapter| adapter.id != id);
        self.free_unused();
    }

    /// Uses the adapters that the texts of a step name.
    pub(super) fn use_adapters_of(&mut self, step: &Step) {
        let uses = step.spans.first().map(|span| span.adapters.clone()).unwrap_or_default();
        let mut active = AdapterSet::new();
        for adapter in &mut self.adapters.loaded {
            let Some(&(_, scale)) = uses.iter().find(|(id, _)| *id == adapter.id) else { continue };
            active.push((adapter.id, scale.to_bits()));
            if adapter.written.replace(scale) != Some(scale) {
                for (buffer, factors) in &adapter.scales {
                    let factors: Vec<f32> = factors.iter().map(|factor| factor * scale).collect();
                    self.gpu.write(buffer, 0, bytemuck::cast_slice(&factors));
                }
            }
        }
        self.adapters.active = active;
    }
}

impl Binder<'_> {
    async fn bind_stage(&mut self, file: &LoraFile, part: Part) -> Result<Additions, Error> {
        let mut additions = Additions::new();
        for index in 0..self.engine.stage(part).sites.len() {
            let target = self.engine.stage(part).sites[index].target.clone();
            let factors = match target.work {
                Work::Embed => file.embedding(&target.weights[0].parts[0]).await?,
                Work::Project { .. } | Work::Experts(_) => file.factors(&target.weights).await?,
            };
            let Some(factors) = factors else {
                additions.push(BySize::default());
                continue;
            };
            if target.is_gate_up() && self.engine.stage(part).sites[index].apart.is_none() {
                let apart = self.engine.gate_up_apart(&target).await?;
                self.engine.stage_mut(part).sites[index].apart = Some(apart);
            }
            additions.push(self.bind_site(&target, &factors).await?);
        }
        Ok(additions)
    }

    /// Refuses an adapter with modules that the model does not have.
    fn check_modules(&self, file: &LoraFile) -> Result<(), Error> {
        let Engine { layers, head, plan, .. } = &*self.engine;
        let targets = layers.sites.iter().chain(&head.sites).map(|site| &site.target);
        let known = targets.flat_map(|target| &*target.weights).flat_map(|weight| &weight.parts);
        file.check_modules(&format!("{} ({} layers)", plan.architecture, plan.dims.n_layers), known)
    }

    async fn bind_site(&mut self, site: &Target, factors: &Factors) -> Result<BySize<Vec<Launch>>, Error> {
        self.info.n_params += factors.n_params;
        let reduced = self.engine.reduced(factors.rank).await?;
        let scale = self.scale(&factors.scales).await?;
        let name = &site.weights[0].parts[0].hf;
        // shards hold whole experts
        let (a_unit, b_unit) = match site.work {
            Work::Experts(_) => (factors.rank, factors.n_rows),
            Work::Embed | Work::Project { .. } => (1, 1),
        };
        let n_b = factors.n_rows * site.weights.len();
        let b = self.matrix(name, factors.dtype, &factors.b, n_b, b_unit).await?;
        let mut added = BySize::<Vec<Launch>>::default();
        match &site.work {
            Work::Embed => {
                let vocab_size = site.weights[0].parts[0].shape[0];
                let table = self.matrix(name, factors.dtype, &factors.a, vocab_size, a_unit).await?;
                let engine = &mut *self.engine;
                for launches in added.all_mut() {
                    let (kernels, Steering { step, next, .. }) = (&mut engine.kernels, &engine.steering);
                    let embedded = embed_rows(kernels, &table, step, next, &reduced, Some(&scale)).await?;
                    launches.extend(embedded);
                }
                let (hidden, hidden_size) = (engine.activations.hidden.clone(), engine.plan.dims.hidden_size);
                let expand = projection(b, &reduced, &hidden, align_row(hidden_size), Epilogue::Add);
                added.append(engine.bind_project(&expand, None, NormRows::All).await?);
            }
            Work::Project { projects, norm, rows } => {
                let first = &projects[0];
                let a = self.matrix(name, factors.dtype, &factors.a, factors.rank, a_unit).await?;
                let stride = align_row(factors.rank);
                let reduce = projection(a, &first.x, &reduced, stride, Epilogue::StoreScaled(scale));
                let engine = &mut *self.engine;
                added.append(engine.bind_project(&reduce, norm.as_ref(), *rows).await?);
                let (y, y_stride, epilogue) = match &first.epilogue {
                    Epilogue::Store(_) | Epilogue::Add => (&first.y, first.y_stride, Epilogue::Add),
                    Epilogue::AddScaled(weight) => {
                        (&first.y, first.y_stride, Epilogue::AddScaled(weight.clone()))
                    }
                    Epilogue::SiluMul => (&engine.wide().await?, factors.n_rows, Epilogue::Add),
                    Epilogue::Relu(_) | Epilogue::StoreScaled(_) => {
                        return Err(Error::Adapter(format!(
                            "the adapter changes \"{name}\", which is followed by a ReLU; that is not supported: merge the \
                             adapter into its base model"
                        )));
                    }
                };
                let expand = projection(b, &reduced, y, y_stride, epilogue);
                added.append(engine.bind_project(&expand, None, *rows).await?);
            }
            Work::Experts(work) => {
                let n_a = factors.rank * site.weights.len();
                let a = self.matrix(name, factors.dtype, &factors.a, n_a, a_unit).await?;
                let engine = &mut *self.engine;
                let wide = match site.is_gate_up() {
                    true => Some((engine.wide().await?, factors.n_rows)),
                    false => None,
                };
                let (one, many) = (&work.one, &work.many);
                let reduce = |base: &ExpertProject| ExpertProject {
                    matrix: a.clone(),
                    rows: match base.rows {
                        ExpertRows::Spread => ExpertRows::Spread,
                        ExpertRows::Slots | ExpertRows::Gather => ExpertRows::Slots,
                    },
                    epilogue: Epilogue::StoreScaled(scale.clone()),
                    y: reduced.clone(),
                    y_stride: align_row(factors.rank),
                    ..base.clone()
                };
                let expand = |base: &ExpertProject| {
                    let (y, y_stride) = wide.clone().unwrap_or_else(|| (base.y.clone(), base.y_stride));
                    ExpertProject {
                        matrix: b.clone(),
                        rows: match base.rows {
                            ExpertRows::Gather => ExpertRows::Gather,
                            ExpertRows::Spread | ExpertRows::Slots => ExpertRows::Slots,
                        },
                        epilogue: Epilogue::Add,
                        x: reduced.clone(),
                        y,
                        y_stride,
                        ..base.clone()
                    }
                };
                let reduce = ExpertWork { one: reduce(one), many: reduce(many), norm: work.norm.clone() };
                added.append(engine.bind_experts(&reduce).await?);
                let expand = ExpertWork { one: expand(one), many: expand(many), norm: None };
                added.append(engine.bind_experts(&expand).await?);
            }
        }
        Ok(added)
    }

    /// The buffer with these factors; sites that have the same share it.
    async fn scale(&mut self, factors: &[f32]) -> Result<Buffer, Error> {
        if let Some((buffer, _)) = self.scales.iter().find(|(_, other)| other[..] == *factors) {
            return Ok(buffer.clone());
        }
        let bytes = align_row(factors.len()) as u64 * 4;
        let buffer = self.engine.gpu.buffer("scales of an adapter", bytes, Usage::Storage).await?;
        self.info.device_bytes += bytes;
        self.scales.push((buffer.clone(), factors.to_vec()));
        Ok(buffer)
    }

    /// Rows of numbers as a matrix on the device, in shards of whole `unit`s of rows where a binding does not hold it.
    async fn matrix(
        &mut self,
        name: &str,
        dtype: DType,
        values: &[f32],
        n_rows: usize,
        unit: usize,
    ) -> Result<Rc<DeviceMatrix>, Error> {
        let k = values.len() / n_rows;
        let layout = match dtype {
            DType::F16 => Layout::F16,
            DType::BF16 => Layout::BF16,
            _ => Layout::F32,
        };
        let streams = repack(dtype, &quantize(dtype, values)?, n_rows, k)?;
        let gpu = &self.engine.gpu;
        let shape = MatrixShape { layout, order: RowOrder::Plain, n_rows, k, unit };
        let matrix = allocate(gpu, &format!("an adapter's factors of {name}"), shape).await?;
        for shard in &matrix.shards {
            for (stream, (buffer, words)) in shard.streams.iter().zip(&streams).enumerate() {
                let row_words = layout.stream_row_words(stream, k);
                let words = &words[shard.first_row * row_words..][..shard.n_rows * row_words];
                gpu.write(buffer, 0, bytemuck::cast_slice(words));
            }
        }
        self.info.device_bytes += matrix.bytes();
        Ok(matrix)
    }
}

/// A projection by one of an adapter's matrices.
fn projection(
    matrix: Rc<DeviceMatrix>,
    x: &Buffer,
    y: &Buffer,
    y_stride: usize,
    epilogue: Epilogue,
) -> Project {
    Project { matrix, x: x.clone(), y: y.clone(), y_stride, first_output: 0, epilogue }
}
