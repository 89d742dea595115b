//! An adapter's matrices on the device, and the launches of its sites.

use std::rc::Rc;

use qwill_gpu::{Buffer, Usage};
use qwill_kernels::{
    DeviceMatrix, Epilogue, ExpertProject, ExpertRows, Launch, NormRows, Project, RowOrder, Scaling,
    align_row, embed_rows,
};
use qwill_weights::{DType, Layout, quantize, repack};

use super::rows::RowFactors;
use super::{Change, Part};
use crate::Error;
use crate::engine::buffers::Steering;
use crate::engine::program::Program;
use crate::engine::stage::{Additions, BySize, ExpertWork, Target, Work};
use crate::engine::{Engine, MAX_OUTPUTS};
use crate::loader::{MatrixShape, allocate};
use crate::lora::{AdapterInfo, Factors, LoraFile};

/// Puts an adapter's matrices on the device while its launches are bound.
pub(super) struct Binder<'e> {
    engine: &'e mut Engine,
    /// The adapter's own factors of `A x`, in buffers.
    scales: Vec<(Buffer, Vec<f32>)>,
    pub(super) info: AdapterInfo,
}

impl<'e> Binder<'e> {
    pub(super) fn new(engine: &'e mut Engine, name: &str) -> Self {
        let info = AdapterInfo { name: name.to_owned(), n_params: 0, device_bytes: 0 };
        Self { engine, scales: Vec::new(), info }
    }

    pub(super) async fn bind_stage(&mut self, file: &LoraFile, part: Part) -> Result<Change, Error> {
        let n_rows = match part {
            Part::Layers => self.engine.options.chunk,
            Part::Head => MAX_OUTPUTS,
        };
        let rows = RowFactors::new(&self.engine.gpu, n_rows).await?;
        self.info.device_bytes += rows.buffer.size();
        let mut additions = Additions::new();
        for index in 0..self.engine.stage(part).sites.len() {
            let target = self.engine.stage(part).sites[index].target.clone();
            let factors = match target.work {
                Work::Embed { .. } => file.embedding(&target.weights[0].parts[0]).await?,
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
            additions.push(self.bind_site(&target, &factors, &rows).await?);
        }
        Ok(Change { additions, rows })
    }

    /// Refuses an adapter with modules that the model does not have.
    pub(super) fn check_modules(&self, file: &LoraFile) -> Result<(), Error> {
        let Program { layers, head, plan, .. } = &self.engine.program;
        let targets = layers.sites.iter().chain(&head.sites).map(|site| &site.target);
        let known = targets.flat_map(|target| &*target.weights).flat_map(|weight| &weight.parts);
        file.check_modules(&format!("{} ({} layers)", plan.architecture, plan.dims.n_layers), known)
    }

    async fn bind_site(
        &mut self,
        site: &Target,
        factors: &Factors,
        row_factors: &RowFactors,
    ) -> Result<BySize<Vec<Launch>>, Error> {
        self.info.n_params += factors.n_params;
        let reduced = self.engine.reduced(factors.rank).await?;
        let scaling =
            Scaling { outputs: self.scale(&factors.scales).await?, rows: row_factors.buffer.clone() };
        let name = &site.weights[0].parts[0].hf;
        // shards hold whole experts
        let (a_unit, b_unit) = match site.work {
            Work::Experts(_) => (factors.rank, factors.n_rows),
            Work::Embed { .. } | Work::Project { .. } => (1, 1),
        };
        let n_b = factors.n_rows * site.weights.len();
        let b = self.matrix(name, factors.dtype, &factors.b, n_b, b_unit).await?;
        let mut added = BySize::<Vec<Launch>>::default();
        match &site.work {
            Work::Embed { output } => {
                let vocab_size = site.weights[0].parts[0].shape[0];
                let table = self.matrix(name, factors.dtype, &factors.a, vocab_size, a_unit).await?;
                let engine = &mut *self.engine;
                for launches in added.all_mut() {
                    let (kernels, Steering { step, next, .. }) = (&mut engine.kernels, &engine.steering);
                    let embedded = embed_rows(kernels, &table, step, next, &reduced, Some(&scaling)).await?;
                    launches.extend(embedded);
                }
                let stride = align_row(site.weights[0].parts[0].shape[1]);
                let expand = projection(b, &reduced, output, stride, Epilogue::Add);
                added.append(engine.bind_project(&expand, None, NormRows::All).await?);
            }
            Work::Project { projects, norm, rows } => {
                let first = &projects[0];
                let a = self.matrix(name, factors.dtype, &factors.a, factors.rank, a_unit).await?;
                let stride = align_row(factors.rank);
                let reduce = projection(a, &first.x, &reduced, stride, Epilogue::StoreScaled(scaling));
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
                    epilogue: Epilogue::StoreScaled(scaling.clone()),
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
        self.engine.gpu.write(&buffer, 0, bytemuck::cast_slice(factors));
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
