//! The records of measurements: one JSON file each in `tests/bench/`, told apart by their keys.

mod limits;
mod loads;
mod mixtures;
mod speed;
mod wasm_memory;

pub(crate) use limits::Limits;
pub(crate) use loads::{Disk, Format, Loads};
pub(crate) use mixtures::Mixtures;
pub(crate) use speed::{Run, Spread};
pub(crate) use wasm_memory::WasmMemory;

use crate::error::{Error, Result};
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// When and from which sources something was measured.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Stamp {
    pub(crate) commit: String,
    pub(crate) date: String,
}

/// What every part of a kit's run on a device has; `result` depends on the part.
#[derive(Deserialize)]
struct Kit<R> {
    device: KitDevice,
    #[serde(flatten)]
    stamp: Stamp,
    result: R,
}

#[derive(Deserialize)]
struct KitDevice {
    name: String,
    backend: String,
    /// Not all backends tell.
    driver: Option<String>,
}

impl KitDevice {
    fn label(&self) -> String {
        format!("{}, {}", self.name, self.backend)
    }
}

/// All records, those of a kind in the order of their files' names.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub(crate) runs: Vec<Run>,
    pub(crate) limits: Vec<Limits>,
    pub(crate) mixtures: Vec<Mixtures>,
    pub(crate) loads: Vec<Loads>,
    pub(crate) wasm_memory: Vec<WasmMemory>,
}

/// The runs that say most: those of GPUs or, until there are any, those of software devices.
pub(crate) enum Shown<'r> {
    Gpus(Vec<&'r Run>),
    Software(Vec<&'r Run>),
}

impl<'r> Shown<'r> {
    pub(crate) fn runs(&self) -> &[&'r Run] {
        match self {
            Self::Gpus(runs) | Self::Software(runs) => runs,
        }
    }
}

impl Records {
    /// Reads every `.json` file of a folder.
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let file_error = |path: &Path, source| Error::File { path: path.to_owned(), source };
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(dir).map_err(|source| file_error(dir, source))? {
            paths.push(entry.map_err(|source| file_error(dir, source))?.path());
        }
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        let mut records = Self::default();
        for path in paths {
            let text = fs::read_to_string(&path).map_err(|source| file_error(&path, source))?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            records.add(&name, &text).map_err(|error| Error::Content { reason: error.to_string(), path })?;
        }
        Ok(records)
    }

    /// Adds what the text of a record says.
    fn add(&mut self, name: &str, text: &str) -> serde_json::Result<()> {
        let record: Value = serde_json::from_str(text)?;
        let has = |key: &str| record.get(key).is_some();
        if let Some(part) = record.get("part") {
            match part.as_str() {
                Some("speed") => self.runs.extend(speed::of_kit(name, serde_json::from_value(record)?)?),
                Some("limits") => self.limits.push(limits::of_kit(serde_json::from_value(record)?)?),
                Some(_) => {}
                None => return Err(serde_json::Error::custom("`part` is not a string")),
            }
        } else if has("results") {
            self.runs.push(speed::of_one(name, serde_json::from_value(record)?)?);
        } else if has("pairs") {
            self.mixtures.push(serde_json::from_value(record)?);
        } else if has("own_disk") {
            self.loads.push(serde_json::from_value(record)?);
        } else if has("runs") {
            self.wasm_memory.push(serde_json::from_value(record)?);
        } else {
            return Err(serde_json::Error::custom(
                "not a record that is known: those have `part` (of a kit), `results` (of a benchmark), `pairs` \
                 (mixtures), `own_disk` (loads) or `runs` (WebAssembly memory)",
            ));
        }
        Ok(())
    }

    /// The records of some names.
    #[cfg(test)]
    pub(crate) fn of(records: &[(&str, &Value)]) -> Self {
        let mut all = Self::default();
        for (name, record) in records {
            all.add(name, &record.to_string()).unwrap();
        }
        all
    }

    /// The runs for those who look at one table or plot only.
    pub(crate) fn shown(&self) -> Shown<'_> {
        let (software, gpus): (Vec<&Run>, Vec<&Run>) = self.runs.iter().partition(|run| run.is_software());
        if gpus.is_empty() { Shown::Software(software) } else { Shown::Gpus(gpus) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fabricated;
    use super::*;
    use serde_json::json;

    fn read(record: &Value) -> serde_json::Result<Records> {
        let mut records = Records::default();
        records.add("record", &record.to_string())?;
        Ok(records)
    }

    #[test]
    fn present_records_are_all_read() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bench");
        let records = Records::read(&dir).unwrap();
        let kinds =
            [records.runs.len(), records.mixtures.len(), records.loads.len(), records.wasm_memory.len()];
        assert!(kinds.iter().all(|kind| *kind > 0), "{kinds:?}");
    }

    #[test]
    fn parts_of_a_kit_are_told_apart() {
        let records = read(&fabricated::speed()).unwrap();
        assert_eq!(records.runs.len(), 1);
        let depths: Vec<usize> = records.runs[0].bench.results.iter().map(|depth| depth.depth).collect();
        assert_eq!(depths, [0, 4096], "the least deep comes first");
        assert!(!records.runs[0].is_software());
        assert_eq!(read(&fabricated::limits()).unwrap().limits.len(), 1);
        let ignored = read(&fabricated::sweep()).unwrap();
        assert!(ignored.runs.is_empty() && ignored.limits.is_empty());
    }

    #[test]
    fn gpus_are_shown_as_soon_as_there_are_any() {
        let mut records = read(&fabricated::speed()).unwrap();
        let mut software = records.runs[0].clone();
        software.bench.capabilities += ", software";
        records.runs = vec![software.clone()];
        assert!(matches!(records.shown(), Shown::Software(runs) if runs.len() == 1));
        records.runs = vec![software, read(&fabricated::speed()).unwrap().runs.remove(0)];
        assert!(matches!(records.shown(), Shown::Gpus(runs) if runs.len() == 1));
    }

    #[test]
    fn records_that_are_no_records_are_refused() {
        let mut no_commit = fabricated::speed();
        no_commit.as_object_mut().unwrap().remove("commit");
        let mut no_depth = fabricated::speed();
        no_depth["result"][0]["report"]["results"] = json!([]);
        let mut nothing_known = fabricated::limits();
        nothing_known["result"] = json!({ "warp_us": 1.0 });
        let refused = [
            (json!({ "part": 3 }), "`part`"),
            (json!({ "date": "2027-01-02" }), "not a record"),
            (json!([1, 2]), "not a record"),
            (no_commit, "commit"),
            (no_depth, "depth"),
            (nothing_known, "read_gbps"),
        ];
        for (record, why) in refused {
            let error = read(&record).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
