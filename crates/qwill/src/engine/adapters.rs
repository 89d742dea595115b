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

use self::binder::Binder;
use self::rows::RowFactors;
use super::Engine;
use super::stage::{Additions, Stage};
use crate::Error;
use crate::cache::AdapterSet;
use crate::lora::{AdapterInfo, AdapterUse, LoraFile};

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
    next_id: u64,
    /// What requests use that do not say.
    selected: Vec<AdapterUse>,
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

    fn check(&self, uses: &[AdapterUse]) -> Result<(), Error> {
        for (index, AdapterUse { name, scale }) in uses.iter().enumerate() {
            if !self.loaded.iter().any(|adapter| adapter.info.name == *name) {
                let names = self.names();
                return Err(Error::Request(format!("there is no adapter \"{name}\"; loaded are: {names}")));
            }
            if uses[..index].iter().any(|other| other.name == *name) {
                return Err(Error::Request(format!("adapter \"{name}\" is named twice")));
            }
            if !(-1e4..=1e4).contains(scale) {
                return Err(Error::Request(format!(
                    "the scale of adapter \"{name}\" is {scale}, but must be between -10000 and 10000"
                )));
            }
        }
        Ok(())
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

    pub(crate) fn adapters(&self) -> Vec<AdapterInfo> {
        self.adapters.loaded.iter().map(|adapter| adapter.info.clone()).collect()
    }

    /// Uploads an adapter and binds its launches.
    pub(crate) async fn load_adapter(&mut self, file: &LoraFile, name: &str) -> Result<AdapterInfo, Error> {
        if self.adapters.loaded.iter().any(|adapter| adapter.info.name == name) {
            return Err(Error::Request(format!("there is an adapter \"{name}\" already; unload it first")));
        }
        let adapter = self.bind_adapter(file, name).await.inspect_err(|_| self.free_unused())?;
        let info = adapter.info.clone();
        self.adapters.loaded.push(adapter);
        Ok(info)
    }

    async fn bind_adapter(&mut self, file: &LoraFile, name: &str) -> Result<Adapter, Error> {
        let mut binder = Binder::new(self, name);
        let layers = binder.bind_stage(file, Part::Layers).await?;
        let head = binder.bind_stage(file, Part::Head).await?;
        binder.check_modules(file)?;
        let info = binder.info;
        self.gpu.flush().await?;
        let id = self.adapters.next_id;
        self.adapters.next_id += 1;
        Ok(Adapter { id, info, layers, head })
    }

    pub(crate) fn unload_adapter(&mut self, name: &str) -> Result<(), Error> {
        self.adapters.check(&[AdapterUse::new(name)])?;
        self.adapters.loaded.retain(|adapter| adapter.info.name != name);
        self.adapters.selected.retain(|selected| selected.name != name);
        self.free_unused();
        Ok(())
    }

    /// What requests use from now on that do not say.
    pub(crate) fn select_adapters(&mut self, uses: &[AdapterUse]) -> Result<(), Error> {
        self.adapters.check(uses)?;
        self.adapters.selected = uses.to_vec();
        Ok(())
    }

    /// The adapters that a request names, those at scale 0 left out; `None`: what was selected. They are in the order in
    /// which they were loaded: sums of floats depend on it.
    pub(crate) fn resolve_adapters(&self, uses: Option<&[AdapterUse]>) -> Result<AdapterSet, Error> {
        let Adapters { loaded, selected, .. } = &self.adapters;
        if let Some(uses) = uses {
            self.adapters.check(uses)?;
        }
        let uses = uses.unwrap_or(selected);
        let used = |adapter: &Adapter| {
            let scale = uses.iter().find(|used| used.name == adapter.info.name)?.scale;
            (scale != 0.0).then_some((adapter.id, scale))
        };
        Ok(loaded.iter().filter_map(used).collect())
    }
}
