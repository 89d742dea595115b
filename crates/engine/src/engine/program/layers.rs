//! Launches of embeddings, projections and attention.

use qwill_kernels::{
    Attend, AttendBuffers, Epilogue, Launch, Project, RotaryRows, Rotate, RotateBuffers, Visibility,
    align_row, embed_rows,
};
use qwill_models::{Attention, Direction, Embedding, Plan, PreNorm, Projection, Rotation, Then};

use super::{Linker, side_by_side};
use crate::Error;
use crate::engine::sizes::max_splits;
use crate::engine::stage::{BySize, Normed, Target, Work};

impl Linker<'_> {
    pub(super) async fn embed(&mut self, embedding: &Embedding) -> Result<(), Error> {
        let Embedding { weight, output } = embedding;
        let output = self.register(*output);
        let steering = self.shared.steering;
        let mut bound = BySize::<Vec<Launch>>::default();
        for table in self.shared.weights.matrices(weight)? {
            for launches in bound.all_mut() {
                let (step, next) = (&steering.step, &steering.next);
                launches.extend(embed_rows(self.kernels, &table, step, next, &output, None).await?);
            }
        }
        let target = Target { weights: [weight.clone()].into(), work: Work::Embed { output } };
        self.program.layers.push_site(bound, target);
        Ok(())
    }

    /// A norm in front of projections.
    pub(super) fn pre_norm(&self, PreNorm { norm, output }: &PreNorm) -> Result<Normed, Error> {
        Ok(Normed { fused: self.shared.weights.norm(norm)?, rows: self.register(*output) })
    }

    pub(super) async fn project(&mut self, projection: &Projection) -> Result<(), Error> {
        let weights = self.shared.weights;
        let norm = projection.norm.as_ref().map(|norm| self.pre_norm(norm)).transpose()?;
        let epilogue = match &projection.then {
            Then::Store(bias) => Epilogue::Store(match bias {
                Some(parts) => Some(weights.vector(&parts.iter().collect::<Vec<_>>())?),
                None => None,
            }),
            Then::Add => Epilogue::Add,
            Then::SiluMul => Epilogue::SiluMul,
        };
        let (x, y) = (self.register(projection.input), self.register(projection.output));
        let projects = side_by_side(weights.matrices(&projection.weight)?, |matrix, first_output| Project {
            matrix,
            x: x.clone(),
            y: y.clone(),
            y_stride: align_row(projection.n_outputs()),
            first_output,
            epilogue: epilogue.clone(),
        });
        if let Some(norm) = &norm {
            self.push_norm(&x, projection.weight.parts[0].shape[1], norm).await?;
        }
        self.push_projects(&projection.weight, projects, norm).await
    }

    pub(super) async fn rotate(&mut self, rotation: &Rotation) -> Result<(), Error> {
        let norms = match &rotation.qk_norm {
            Some((q, k)) => Some(self.shared.weights.vector(&[&q.weight, &k.weight])?),
            None => None,
        };
        let Plan { dims, rope, .. } = &self.program.plan;
        let rows = rope.rows();
        let shape = Rotate {
            n_heads: dims.n_heads,
            n_kv_heads: dims.n_kv_heads,
            head_dim: dims.head_dim,
            rotary_dim: rope.rotary_dim,
            rows: RotaryRows {
                per_position: rows.per_position,
                first_query: rows.first_query,
                n_queries: rows.n_queries,
            },
            scale: (dims.head_dim as f32).powf(-0.5),
            eps: dims.rms_norm_eps,
            kv: self.shared.options.kv,
        };
        let (k_cache, v_cache) = &self.shared.caches[rotation.layer];
        let buffers = RotateBuffers {
            step: &self.shared.steering.step,
            qkv: &self.register(rotation.input),
            q: &self.register(rotation.queries),
            k_cache,
            v_cache,
            qk_norm: norms.as_ref(),
        };
        for launches in self.program.layers.launches.all_mut() {
            launches.push(self.kernels.rotate_heads(&shape, &buffers).await?);
        }
        Ok(())
    }

    pub(super) async fn attend(&mut self, attention: &Attention) -> Result<(), Error> {
        let plan = &self.program.plan;
        let shape = Attend {
            n_heads: plan.dims.n_heads,
            n_kv_heads: plan.dims.n_kv_heads,
            head_dim: plan.dims.head_dim,
            visibility: visibility(plan, attention.window)?,
            kv: self.shared.options.kv,
        };
        let splits = max_splits(plan, self.shared.options.context_length, self.kernels.tuning());
        let (k_cache, v_cache) = &self.shared.caches[attention.layer];
        let steering = self.shared.steering;
        let buffers = AttendBuffers {
            step: &steering.step,
            q: &self.register(attention.queries),
            k_cache,
            v_cache,
            y: &self.register(attention.output),
            partial: &steering.partial,
            stats: &steering.stats,
        };
        let launches = &mut self.program.layers.launches;
        for launches in launches.all_mut() {
            launches.extend(self.kernels.attend_decode(&shape, &buffers, splits).await?);
        }
        for launches in launches.of_many() {
            launches.push(self.kernels.attend_prefill(&shape, &buffers).await?);
        }
        Ok(())
    }
}

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
