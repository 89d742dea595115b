//! A plan, bound: registers, and the launches of steps of every size. Several programs may share weights, caches and what
//! steers a step.

mod head;
mod layers;
mod mixture;

use std::rc::Rc;

use qwill_gpu::{Buffer, Usage};
use qwill_kernels::{DeviceMatrix, Groups, Kernels, Launch, NormRows, Project, norm_rms};
use qwill_models::{Op, Plan, Register, Weight};

use super::EngineOptions;
use super::bind::bind_project;
use super::buffers::{Routes, Steering};
use super::groupings::Groupings;
use super::sizes::Sizes;
use super::stage::{BySize, Normed, Stage, Target, Work};
use crate::Error;
use crate::loader::Weights;

/// A plan with its launches.
pub(super) struct Program {
    pub(super) plan: Plan,
    /// By their places in the plan.
    registers: Vec<Buffer>,
    /// Where there are mixtures of experts.
    pub(super) routes: Option<Routes<Buffer, Groups>>,
    /// Up to the residual stream of the last layer.
    pub(super) layers: Stage,
    /// The final norm.
    pub(super) norm: BySize<Vec<Launch>>,
    /// What follows the norm.
    pub(super) head: Stage,
}

impl Program {
    /// The buffer of a register.
    pub(super) fn register(&self, register: Register) -> &Buffer {
        &self.registers[register.index()]
    }

    /// Logits or scores, or states where there are neither.
    pub(super) fn outputs(&self) -> &Buffer {
        self.register(self.plan.head.output())
    }

    /// Normalised states of outputs.
    pub(super) fn states(&self) -> &Buffer {
        self.register(self.plan.head.states)
    }

    /// The launches of a step of one token, without sampling.
    pub(super) fn of_one_token(&self) -> impl Iterator<Item = &Launch> {
        self.layers.launches.one.iter().chain(&self.norm.one).chain(&self.head.launches.one)
    }
}

/// What programs share.
#[derive(Clone, Copy)]
pub(super) struct Shared<'a> {
    pub(super) weights: &'a Weights<'a>,
    pub(super) steering: &'a Steering<Buffer>,
    /// Keys and values of each layer.
    pub(super) caches: &'a [(Buffer, Buffer)],
    pub(super) options: EngineOptions,
}

/// Binds the launches of a plan.
pub(super) struct Linker<'a> {
    kernels: &'a mut Kernels,
    shared: Shared<'a>,
    program: Program,
}

impl<'a> Linker<'a> {
    /// Makes the registers of a plan, and binds everything.
    pub(super) async fn link(
        kernels: &'a mut Kernels,
        shared: Shared<'a>,
        plan: &Plan,
        sizes: &Sizes,
    ) -> Result<Program, Error> {
        let mut registers = Vec::new();
        for size in &sizes.registers {
            registers.push(kernels.gpu.buffer(size.label, size.bytes, Usage::Storage).await?);
        }
        let routes = match (&sizes.routes, plan.mixtures().next()) {
            (Some(bytes), Some(mixture)) => {
                let groupings = Groupings::new(mixture, shared.options.chunk, kernels.tuning());
                Some(bytes.make(&kernels.gpu, groupings).await?)
            }
            _ => None,
        };
        let program = Program {
            plan: plan.clone(),
            registers,
            routes,
            layers: Stage::default(),
            norm: BySize::default(),
            head: Stage::default(),
        };
        let mut linker = Self { kernels, shared, program };
        for op in &plan.ops {
            match op {
                Op::Embed(embedding) => linker.embed(embedding).await?,
                Op::Project(projection) => linker.project(projection).await?,
                Op::Rotate(rotation) => linker.rotate(rotation).await?,
                Op::Attend(attention) => linker.attend(attention).await?,
                Op::Mix(mixture) => linker.mix(mixture).await?,
            }
        }
        linker.head(&plan.head).await?;
        Ok(linker.program)
    }

    fn register(&self, register: Register) -> Buffer {
        self.program.register(register).clone()
    }

    /// Normalises rows in steps of several tokens.
    async fn push_norm(&mut self, input: &Buffer, n_cols: usize, norm: &Normed) -> Result<(), Error> {
        let step = &self.shared.steering.step;
        for launches in self.program.layers.launches.of_many() {
            let (fused, rows) = (&norm.fused, NormRows::All);
            launches.push(norm_rms(self.kernels, step, input, fused, n_cols, rows, &norm.rows).await?);
        }
        Ok(())
    }

    /// Adds the projections of a weight; with a norm they are of what [`Self::push_norm`] normalised last.
    async fn push_projects(
        &mut self,
        weight: &Weight,
        projects: Vec<Project>,
        norm: Option<Normed>,
    ) -> Result<(), Error> {
        let mut bound = BySize::<Vec<Launch>>::default();
        let chunk = self.shared.options.chunk;
        for project in &projects {
            bound.append(bind_project(self.kernels, chunk, project, norm.as_ref(), NormRows::All).await?);
        }
        let work = Work::Project { projects, norm, rows: NormRows::All };
        self.program.layers.push_site(bound, Target { weights: [weight.clone()].into(), work });
        Ok(())
    }
}

/// One projection a matrix, their outputs side by side.
fn side_by_side(
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
