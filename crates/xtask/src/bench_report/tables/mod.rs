//! The sections that documents have from the records: tables in Markdown, with the words that need their figures.

mod figures;
mod limits;
mod loads;
mod markdown;
mod mixtures;
mod speed;
mod wasm_memory;

pub(super) use figures::figure;

use super::records::{Records, Stamp};

/// What a document can place by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// How fast models are, for readers in a hurry.
    Speed,
    /// Every benchmark with what explains it.
    Runs,
    /// What devices can do at most.
    Limits,
    /// Mixtures of experts beside dense models.
    Mixtures,
    /// Loads beside a plain read.
    Load,
    /// The memory of loads in browsers.
    WasmMemory,
}

impl Section {
    pub(super) const ALL: &[Self] =
        &[Self::Speed, Self::Runs, Self::Limits, Self::Mixtures, Self::Load, Self::WasmMemory];

    /// What markers call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Speed => "speed",
            Self::Runs => "runs",
            Self::Limits => "limits",
            Self::Mixtures => "mixtures",
            Self::Load => "load",
            Self::WasmMemory => "wasm-memory",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|section| section.name() == name)
    }

    /// What it says.
    pub(super) fn text(self, records: &Records) -> String {
        match self {
            Self::Speed => speed::overview(&records.shown()),
            Self::Runs => speed::details(&records.runs),
            Self::Limits => limits::text(&records.limits),
            Self::Mixtures => each(&records.mixtures, mixtures::text),
            Self::Load => each(&records.loads, loads::text),
            Self::WasmMemory => each(&records.wasm_memory, wasm_memory::text),
        }
    }
}

/// The texts of some records, one after the other.
fn each<R>(records: &[R], text: impl Fn(&R) -> String) -> String {
    if records.is_empty() {
        return "Nothing has been recorded yet.\n".into();
    }
    records.iter().map(text).collect::<Vec<_>>().join("\n")
}

impl Stamp {
    fn shown(&self) -> String {
        format!("{}, {}", self.commit, self.date)
    }
}
