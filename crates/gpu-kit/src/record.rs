//! What a part writes: one JSON file, replaced as a whole each time.

use std::fs;
use std::io;
use std::path::Path;

use pollster::block_on;
use qwill_gpu::{Gpu, GpuOptions};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The device that the numbers are of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Device {
    name: String,
    backend: String,
    driver: String,
    driver_info: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Device {
    /// The one that qwill takes; none where there is no adapter.
    pub(crate) fn find() -> Option<Self> {
        let info = block_on(Gpu::adapter(&GpuOptions::default())).ok()?.get_info();
        Some(Self {
            name: info.name,
            backend: format!("{:?}", info.backend),
            driver: info.driver,
            driver_info: info.driver_info,
            kind: format!("{:?}", info.device_type),
        })
    }
}

/// The result of a part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The part.
    pub(crate) part: String,
    /// What it was built from.
    pub(crate) commit: String,
    /// When it began.
    pub(crate) date: String,
    /// The device.
    pub(crate) device: Option<Device>,
    /// How long it took so far.
    pub(crate) seconds: f64,
    /// The result in a line, of a part that passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) finding: Option<String>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// What was found so far.
    pub(crate) result: Value,
}

impl Record {
    /// An empty one, begun now.
    pub(crate) fn new(part: &str, commit: String) -> Self {
        let date = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
        let (device, result) = (None, Value::Null);
        Self { part: part.to_owned(), commit, date, device, seconds: 0.0, finding: None, error: None, result }
    }

    /// Reads one.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    /// Writes it; whoever reads the file meanwhile finds the old one or the new one.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let new = path.with_extension("json.new");
        fs::write(&new, serde_json::to_vec_pretty(self)?)?;
        fs::rename(new, path)
    }
}
