//! From a plan's operations to bound launches, for every kind of step.

use std::rc::Rc;

use qwill_gpu::{Buffer, Usage};
use qwill_kernels::{
    Attend, AttendBuffers, DeviceMatrix, Epilogue, FusedNorm, Launch, NormRows, Project, RotaryRows, Rotate,
    RotateBuffers, Visibility, align_row, embed_rows, gemm, gemv, norm_rms,
};
use qwill_models::step::{Begin, Output, Sampler, Source, Step, Want};
use qwill_models::{Activation, Direction, HeadThen, Op, Outputs, Plan, Projection, TensorRef, Then, Weight};

use super::buffers::{Activations, Steering};
use super::sizes::{layer_cache_bytes, max_splits};
use super::stage::{BySize, Target, Work};
use super::{Engine, FEW, MAX_OUTPUTS};
use crate::Error;
use crate::loader::Weights;

fn visibility(plan: &Plan, window: Option<usize>) -> Result<Visibility, Error> {
    match (plan.direction, &plan.rope.chunks, window) {
        (Direction::Both, None, None) => Ok(Visibility::Bidirectional),
        (Direction::Causal, Some(chunks), None) => Ok(Visibility::DualChunks(chunks.stride())),
        (Direction::Causal, None, Some(window)) => Ok(Visibility::Window(window)),
        (Direction::Causal, None, None) => Ok(Visibility::Causal),
        _ => Err(Error::Kernel(
            "sliding windows cannot be combined with dual chunk attention or with attention in both directions".into(),
        )),
    }
}

/// One projection a matrix, their outputs side by side.
pub(super) fn side_by_side(
    matrices: Vec<Rc<DeviceMatrix>>,
    project: impl Fn(Rc<DeviceMatrix>, usize) -> Project,
) -> Vec<Project> {
    let mut first_output = 0;
    let mut projects = Vec::new();
    for matrix in matrices {
        let n_rows = matrix.n_rows;
        projects.push(project(matrix, first_output));
        first_output += n_rows;
    }
    projects
}

impl Engine {
    /// Binds every launch.
    pub(super) async fn prepare(&mut self, weights: &Weights<'_>) -> Result<(), Error> {
        let plan = self.plan.clone();
        let dims = &plan.dims;
        let cache_bytes = layer_cache_bytes(&plan, self.options);
        for layer in 0..dims.n_layers {
            let keys =
                self.gpu.buffer(&format!("keys of layer {layer}"), cache_bytes, Usage::Storage).await?;
            let values =
                self.gpu.buffer(&format!("values of layer {layer}"), cache_bytes, Usage::Storage).await?;
            self.caches.push((keys, values));
        }
        let rows = plan.rope.rows();
        for op in &plan.ops {
            match op {
                Op::Embed(weight) => self.prepare_embedding(weights, weight).await?,
                Op::Project(projection) => self.prepare_projection(weights, projection).await?,
                Op::Rotate(rotation) => {
                    let norms = match &rotation.qk_norm {
                        Some((q, k)) => Some(weights.vector(&[&q.weight, &k.weight])?),
                        None => None,
                    };
                    let shape = Rotate {
                        n_heads: dims.n_heads,
                        n_kv_heads: dims.n_kv_heads,
                        head_dim: dims.head_dim,
                        rotary_dim: plan.rope.rotary_dim,
                        rows: RotaryRows {
                            per_position: rows.per_position,
                            first_query: rows.first_query,
                            n_queries: rows.n_queries,
                        },
                        scale: (dims.head_dim as f32).powf(-0.5),
                        eps: dims.rms_norm_eps,
                        kv: self.options.kv,
                    };
                    let (k_cache, v_cache) = &self.caches[rotation.layer];
                    let buffers = RotateBuffers {
                        step: &self.steering.step,
                        qkv: &self.activations.qkv,
                        q: &self.activations.q,
                        k_cache,
                        v_cache,
                        qk_norm: norms.as_ref(),
                    };
                    for launches in self.layers.launches.all_mut() {
                        launches.push(self.kernels.rotate_heads(&shape, &buffers).await?);
                    }
                }
                Op::Mix(mixture) => self.prepare_mixture(weights, mixture).await?,
                Op::Attend(attention) => {
                    let shape = Attend {
                        n_heads: dims.n_heads,
                        n_kv_heads: dims.n_kv_heads,
                        head_dim: dims.head_dim,
                        visibility: visibility(&plan, attention.window)?,
                        kv: self.options.kv,
                    };
                    let (k_cache, v_cache) = &self.caches[attention.layer];
                    let buffers = AttendBuffers {
                        step: &self.steering.step,
                        q: &self.activations.q,
                        k_cache,
                        v_cache,
                        y: &self.activations.attended,
                        partial: &self.steering.partial,
                        stats: &self.steering.stats,
                    };
                    let splits = max_splits(&plan, self.options.context_length, self.kernels.tuning());
                    for launches in self.layers.launches.all_mut() {
                        launches.extend(self.kernels.attend_decode(&shape, &buffers, splits).await?);
                    }
                    for launches in self.layers.launches.of_many() {
                        launches.push(self.kernels.attend_prefill(&shape, &buffers).await?);
                    }
                }
            }
        }
        self.prepare_head(weights).await
    }

    async fn prepare_embedding(&mut self, weights: &Weights<'_>, weight: &Weight) -> Result<(), Error> {
        let mut bound = BySize::<Vec<Launch>>::default();
        let (hidden, Steering { step, next, .. }) = (&self.activations.hidden, &self.steering);
        for table in weights.matrices(weight)? {
            for launches in bound.all_mut() {
                launches.extend(embed_rows(&mut self.kernels, &table, step, next, hidden, None).await?);
            }
        }
        self.layers.push_site(bound, Target { weights: [weight.clone()].into(), work: Work::Embed });
        Ok(())
    }

    fn activation(&self, activation: Activation) -> (&Buffer, usize) {
        let dims = &self.plan.dims;
        let (buffer, width) = match activation {
            Activation::Hidden => (&self.activations.hidden, dims.hidden_size),
            Activation::Qkv => (&self.activations.qkv, (dims.n_heads + 2 * dims.n_kv_heads) * dims.head_dim),
            Activation::Attended => (&self.activations.attended, dims.n_heads * dims.head_dim),
            Activation::Inner => (&self.activations.inner, dims.intermediate_size),
        };
        (buffer, align_row(width))
    }

    async fn prepare_projection(
        &mut self,
        weights: &Weights<'_>,
        projection: &Projection,
    ) -> Result<(), Error> {
        let norm = projection.norm.as_ref().map(|norm| weights.norm(norm)).transpose()?;
        let epilogue = match &projection.then {
            Then::Store(bias) => Epilogue::Store(match bias {
                Some(parts) => Some(weights.vector(&parts.iter().collect::<Vec<_>>())?),
                None => None,
            }),
            Then::Add => Epilogue::Add,
            Then::SiluMul => Epilogue::SiluMul,
        };
        let matrices = weights.matrices(&projection.weight)?;
        let x = self.activation(projection.input).0.clone();
        let (y, width) = self.activation(projection.output);
        let y_stride = match &projection.then {
            // layers may differ in their inner width
            Then::SiluMul => align_row(projection.weight.parts[0].shape[0]),
            Then::Store(_) | Then::Add => width,
        };
        let projects = side_by_side(matrices, |matrix, first_output| Project {
            matrix,
            x: x.clone(),
            y: y.clone(),
            y_stride,
            first_output,
            epilogue: epilogue.clone(),
        });
        if let Some(norm) = &norm {
            self.push_norm(norm).await?;
        }
        self.push_projects(&projection.weight, projects, norm).await
    }

    /// Normalises the residual stream of steps of many tokens; those of one do it in their projections.
    pub(super) async fn push_norm(&mut self, norm: &FusedNorm) -> Result<(), Error> {
        let n_cols = self.plan.dims.hidden_size;
        let Activations { hidden, normed, .. } = &self.activations;
        let launches = &mut self.layers.launches;
        for launches in launches.of_many() {
            let (step, rows) = (&self.steering.step, NormRows::All);
            launches.push(norm_rms(&mut self.kernels, step, hidden, norm, n_cols, rows, normed).await?);
        }
        Ok(())
    }

    /// Adds the projections of a weight; with a norm they are of what [`Self::push_norm`] normalised last.
    pub(super) async fn push_projects(
        &mut self,
        weight: &Weight,
        projects: Vec<Project>,
        norm: Option<FusedNorm>,
    ) -> Result<(), Error> {
        let mut bound = BySize::<Vec<Launch>>::default();
        for project in &projects {
            bound.append(self.bind_project(project, norm.as_ref(), NormRows::All).await?);
        }
        let work = Work::Project { projects, norm, rows: NormRows::All };
        self.layers.push_site(bound, Target { weights: [weight.clone()].into(), work });
        Ok(())
    }

    /// Binds a projection for steps of every size.
    pub(super) async fn bind_project(
        &mut self,
        project: &Project,
        norm: Option<&FusedNorm>,
        rows: NormRows,
    ) -> Result<BySize<Vec<Launch>>, Error> {
        let kernels = &mut self.kernels;
        let one = gemv(kernels, project, norm).await?;
        let x = if norm.is_some() { &self.activations.normed } else { &project.x }.clone();
        let project = Project { x, ..project.clone() };
        let most = match rows {
            NormRows::All => self.options.chunk,
            NormRows::Outputs => MAX_OUTPUTS,
        };
        let few = gemm(kernels, &project, rows, FEW).await?;
        let many = gemm(kernels, &project, rows, most).await?;
        Ok(BySize { one, few, many })
    }

    async fn prepare_head(&mut self, weights: &Weights<'_>) -> Result<(), Error> {
        let head = self.plan.head.clone();
        let norm = weights.norm(&head.norm)?;
        let n_cols = self.plan.dims.hidden_size;
        let (hidden, head_in) = (self.activations.hidden.clone(), self.activations.head_in.clone());
        for launches in self.norm.all_mut() {
            let step = &self.steering.step;
            let rows = NormRows::Outputs;
            launches.push(norm_rms(&mut self.kernels, step, &hidden, &norm, n_cols, rows, &head_in).await?);
        }
        let mut x = head_in;
        for (index, layer) in head.layers.iter().enumerate() {
            let is_last = index + 1 == head.layers.len();
            let y = if is_last { &self.activations.outputs } else { &self.activations.head_inner }.clone();
            let bias = layer.bias.as_ref().map(|bias| weights.vector(&[bias])).transpose()?;
            let epilogue = match layer.then {
                HeadThen::Store => Epilogue::Store(bias),
                HeadThen::Relu => Epilogue::Relu(bias),
            };
            let matrices = weights.matrices(&layer.weight)?;
            let projects = side_by_side(matrices, |matrix, first_output| Project {
                matrix,
                x: x.clone(),
                y: y.clone(),
                y_stride: align_row(layer.weight.n_rows()),
                first_output,
                epilogue: epilogue.clone(),
            });
            let mut bound = BySize::<Vec<Launch>>::default();
            for project in &projects {
                bound.append(self.bind_project(project, None, NormRows::Outputs).await?);
            }
            let mut weight = layer.weight.clone();
            if head.outputs == Outputs::Logits && is_last {
                // an adapter of a tied head changes the head, not the embedding
                let shape = [weight.n_rows(), n_cols];
                weight = Weight::single(TensorRef::new("lm_head.weight", "output.weight", &shape));
            }
            let work = Work::Project { projects, norm: None, rows: NormRows::Outputs };
            self.head.push_site(bound, Target { weights: [weight].into(), work });
            x = y;
        }
        Ok(())
    }

    /// Runs a step of each kind, so that no pipeline is compiled by the driver while somebody waits for a token.
    pub(crate) async fn warm_up(&mut self) -> Result<(), Error> {
        let want = match self.plan.head.outputs {
            Outputs::Logits => Want::Token { seed: 0, index: 0, logprobs: None },
            Outputs::Scores { .. } | Outputs::States => Want::Scores,
        };
        let sampler = Sampler::greedy(self.plan.dims.vocab_size as u32);
        let begin = Begin { slot: 0, sampler, bias: Vec::new(), prompt: Vec::new(), drawn: Vec::new() };
        let n_tokens = 2.min(self.options.context_length).min(self.options.chunk);
        let mut step = Step::of_one(0, vec![Source::Id(0); n_tokens], vec![Output { row: 0, want }]);
        step.begins.push(begin);
        self.submit(&step).await?.answers().await?;
        Ok(())
    }
}
