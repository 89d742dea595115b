//! The adapters of a model by their names.

use qwill_engine::AdapterInfo;

use super::AdapterUse;
use crate::Error;

/// The adapters beside the weights.
#[derive(Default)]
pub(crate) struct Adapters {
    /// In the order in which they were loaded, with the numbers that spans know them by.
    loaded: Vec<(u64, AdapterInfo)>,
    /// What requests use that do not say.
    selected: Vec<AdapterUse>,
}

impl Adapters {
    /// Notes one, unless there is another of its name; whether it did.
    pub(crate) fn add(&mut self, id: u64, info: &AdapterInfo) -> bool {
        let is_new = self.loaded.iter().all(|(_, other)| other.name != info.name);
        if is_new {
            self.loaded.push((id, info.clone()));
        }
        is_new
    }

    /// Takes one out; its number.
    pub(crate) fn remove(&mut self, name: &str) -> Result<u64, Error> {
        self.check(&[AdapterUse::new(name)])?;
        self.selected.retain(|selected| selected.name != name);
        let index = self.loaded.iter().position(|(_, info)| info.name == name);
        let index = index.ok_or_else(|| Error::Request(format!("there is no adapter \"{name}\"")))?;
        Ok(self.loaded.remove(index).0)
    }

    /// Those that are loaded, in order.
    pub(crate) fn infos(&self) -> impl Iterator<Item = &AdapterInfo> {
        self.loaded.iter().map(|(_, info)| info)
    }

    /// What requests use that do not say.
    pub(crate) fn selected(&self) -> &[AdapterUse] {
        &self.selected
    }

    /// Lets requests use these that do not say.
    pub(crate) fn select(&mut self, uses: &[AdapterUse]) -> Result<(), Error> {
        self.check(uses)?;
        self.selected = uses.to_vec();
        Ok(())
    }

    /// The numbers of those that a request uses which names these, or none, with their scales.
    pub(crate) fn resolve(&self, uses: Option<&[AdapterUse]>) -> Result<Vec<(u64, f32)>, Error> {
        let uses = uses.unwrap_or(&self.selected);
        self.check(uses)?;
        // in the order in which they were loaded: sums of floats depend on it
        let scale_of = |name: &str| uses.iter().find(|used| used.name == name).map_or(0.0, |used| used.scale);
        let used = self.loaded.iter().map(|(id, info)| (*id, scale_of(&info.name)));
        Ok(used.filter(|(_, scale)| *scale != 0.0).collect())
    }

    fn check(&self, uses: &[AdapterUse]) -> Result<(), Error> {
        for (index, AdapterUse { name, scale }) in uses.iter().enumerate() {
            if !self.loaded.iter().any(|(_, info)| info.name == *name) {
                let names: Vec<&str> = self.loaded.iter().map(|(_, info)| &*info.name).collect();
                let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
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
