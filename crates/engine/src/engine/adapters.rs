//! Low-rank adapters on the device: their matrices, and launches that add to those of the plan.
//!
//! At every site that an adapter changes, two launches follow the plan's: `t = scale * (A x)` of the same input, with its
//! norm, and `y += B t` into the same output. Parts of a stacked weight are done together: their `A` lie under each other,
//! and `B` is zero where a part's rows meet another's columns. Gate and up are stored before the activation for that.
//!
//! The scale of a row is that of its text, 0 where the text does not use the adapter: texts with different adapters run in
//! one step, which launches each adapter once.

mod binder;
mod room;
mod rows;

use std::collections::HashMap;

use qwill_gpu::Buffer;
use qwill_kernels::{Launch, NormRows, Project};

use self::binder::Binder;
use self::rows::RowFactors;
use super::Engine;
use super::bind::{bind_experts, bind_project};
use super::stage::{Additions, BySize, ExpertWork, Normed, Stage};
use crate::Error;
use crate::lora::{AdapterInfo, LoraFile};

/// An adapter on the device.
struct Adapter {
    /// Never used again.
    id: u64,
    info: AdapterInfo,
    layers: Change,
    head: Change,
}

/// What an adapter changes in a stage.
struct Change {
    additions: Additions,
    rows: RowFactors,
}

/// All adapters of an engine, and what they share.
#[derive(Default)]
pub(super) struct Adapters {
    loaded: Vec<Adapter>,
    /// `A x` by rank, `[rows, align_row(rank)]` f32. A buffer a rank, so that what pads the rows is never written.
    reduced: HashMap<usize, Buffer>,
    /// Gate and up before the activation.
    wide: Option<Buffer>,
}

impl Adapters {
    /// What the adapters with these numbers add to a stage.
    pub(super) fn additions(&self, used: &[u64], part: Part) -> Vec<&Additions> {
        let used = self.loaded.iter().filter(|adapter| used.contains(&adapter.id));
        let change = used.map(|adapter| match part {
            Part::Layers => &adapter.layers,
            Part::Head => &adapter.head,
        });
        change.map(|change| &change.additions).collect()
    }

    /// The names of those that are loaded, in words.
    fn names(&self) -> String {
        let names: Vec<&str> = self.loaded.iter().map(|adapter| &*adapter.info.name).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }
}

/// One of the stages that adapters change.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    /// Rows are the tokens of a step.
    Layers,
    /// Rows are the outputs of a step.
    Head,
}

impl Engine {
    fn stage(&self, part: Part) -> &Stage {
        match part {
            Part::Layers => &self.program.layers,
            Part::Head => &self.program.head,
        }
    }

    fn stage_mut(&mut self, part: Part) -> &mut Stage {
        match part {
            Part::Layers => &mut self.program.layers,
            Part::Head => &mut self.program.head,
        }
    }

    /// Binds a projection for steps of every size.
    async fn bind_project(
        &mut self,
        project: &Project,
        norm: Option<&Normed>,
        rows: NormRows,
    ) -> Result<BySize<Vec<Launch>>, Error> {
        bind_project(&mut self.kernels, self.options.chunk, project, norm, rows).await
    }

    /// Binds a projection by experts for steps of every size.
    async fn bind_experts(&mut self, work: &ExpertWork) -> Result<BySize<Vec<Launch>>, Error> {
        let routes = self.program.routes.as_ref().expect("a plan with experts has its routes");
        bind_experts(&mut self.kernels, work, routes).await
    }

    /// Uploads an adapter, which spans know by a number, and binds its launches.
    pub async fn load_adapter(&mut self, file: &LoraFile, name: &str, id: u64) -> Result<AdapterInfo, Error> {
        let adapter = self.bind_adapter(file, name, id).await.inspect_err(|_| self.free_unused())?;
        let info = adapter.info.clone();
        self.adapters.loaded.push(adapter);
        Ok(info)
    }

    async fn bind_adapter(&mut self, file: &LoraFile, name: &str, id: u64) -> Result<Adapter, Error> {
        let mut binder = Binder::new(self, name);
        let layers = binder.bind_stage(file, Part::Layers).await?;
        let head = binder.bind_stage(file, Part::Head).await?;
        binder.check_modules(file)?;
        let info = binder.info;
        self.gpu.flush().await?;
        Ok(Adapter { id, info, layers, head })
    }

    /// Frees an adapter.
    pub fn unload_adapter(&mut self, id: u64) {
        self.adapters.loaded.retain(|adapter| adapter.id != id);
        self.free_unused();
    }
}
