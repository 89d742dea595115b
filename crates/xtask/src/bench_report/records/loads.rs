//! How long models take to load, beside a plain read of their files.

use super::Stamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Loads from several disks on one machine.
#[derive(Debug, Deserialize)]
pub(crate) struct Loads {
    #[serde(flatten)]
    pub(crate) stamp: Stamp,
    pub(crate) machine: String,
    pub(crate) own_disk: Disk,
    /// The process keeps its memory from one load to the next.
    pub(crate) own_disk_memory_kept: Disk,
    pub(crate) steady_disk: Disk,
    #[serde(rename = "q4_0_of_4_gb")]
    pub(crate) large: Large,
}

/// Loads from one disk.
#[derive(Debug, Deserialize)]
pub(crate) struct Disk {
    /// By the name of the format.
    pub(crate) formats: BTreeMap<String, Format>,
}

/// Loads of one file.
#[derive(Debug, Deserialize)]
pub(crate) struct Format {
    pub(crate) bytes: u64,
    pub(crate) plain_read: PlainRead,
    /// The words thrown away.
    pub(crate) read_and_repack: Beside,
    /// Until the last byte is on the device.
    pub(crate) load_weights: Beside,
}

/// A read that does nothing else.
#[derive(Debug, Deserialize)]
pub(crate) struct PlainRead {
    pub(crate) best_s: f64,
}

/// A load beside the plain read.
#[derive(Debug, Deserialize)]
pub(crate) struct Beside {
    pub(crate) speed_of_plain_read: Share,
}

/// The best of some turns beside the best plain read.
#[derive(Debug, Deserialize)]
pub(crate) struct Share {
    pub(crate) best: f64,
}

/// A load of a file that is larger than the memory that loading may take.
#[derive(Debug, Deserialize)]
pub(crate) struct Large {
    pub(crate) bytes: u64,
    pub(crate) peak_heap_bytes: u64,
    pub(crate) commit: String,
}
