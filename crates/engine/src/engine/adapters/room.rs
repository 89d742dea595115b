//! Buffers and launches that all adapters share while there are any.

use qwill_gpu::{Buffer, Usage};
use qwill_kernels::{Epilogue, ExpertProject, GEMM_MAX_TILE_M, Launch, Project, align_row, silu_mul};

use crate::Error;
use crate::engine::stage::{Apart, BySize, ExpertWork, Target, Work};
use crate::engine::{Engine, MAX_OUTPUTS};
use crate::loader::rows_on_device;

impl Engine {
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
        let top_k = self.plan().mixtures().map(|mixture| mixture.top_k).max().unwrap_or(0);
        (self.options.chunk.next_multiple_of(GEMM_MAX_TILE_M as usize), self.options.chunk * top_k)
    }

    /// The buffer for `A x` of a rank.
    pub(super) async fn reduced(&mut self, rank: usize) -> Result<Buffer, Error> {
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
    pub(super) async fn wide(&mut self) -> Result<Buffer, Error> {
        if let Some(buffer) = &self.adapters.wide {
            return Ok(buffer.clone());
        }
        let (dense, experts) = self.step_rows();
        let sites =
            self.program.layers.sites.iter().map(|site| &site.target).filter(|target| target.is_gate_up());
        let sizes = sites.map(|target| match target.work {
            Work::Experts(_) => (experts, rows_on_device(&target.weights[0])),
            Work::Embed { .. } | Work::Project { .. } => (dense, rows_on_device(&target.weights[0])),
        });
        let (rows, stride) = sizes.max_by_key(|(rows, stride)| rows * stride).unwrap_or_default();
        let buffer = self.room("gate and up", rows, stride).await?;
        Ok(self.adapters.wide.insert(buffer).clone())
    }

    /// Gate and up of a site into [`Self::wide`], and the activation from there.
    pub(super) async fn gate_up_apart(&mut self, target: &Target) -> Result<Apart, Error> {
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
            Work::Embed { .. } => return Err(Error::Kernel("an embedding has no gate".into())),
        };
        let mut activate = BySize::<Vec<Launch>>::default();
        for launches in activate.all_mut() {
            let kernels = &mut self.kernels;
            launches.push(silu_mul(kernels, &wide, stride, rows_per_token, y, y_stride).await?);
        }
        Ok(Apart { gate_up, activate })
    }

    /// Gives back what adapters share when there are none.
    pub(super) fn free_unused(&mut self) {
        if self.adapters.loaded.is_empty() {
            self.adapters.reduced.clear();
            self.adapters.wide = None;
            for site in self.program.layers.sites.iter_mut().chain(&mut self.program.head.sites) {
                site.apart = None;
            }
        }
    }
}
