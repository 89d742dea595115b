//! How much WebAssembly memory loads take in browsers.

use super::Stamp;
use serde::Deserialize;

/// Loads on one machine.
#[derive(Debug, Deserialize)]
pub(crate) struct WasmMemory {
    #[serde(flatten)]
    pub(crate) stamp: Stamp,
    pub(crate) machine: String,
    pub(crate) runs: Vec<WasmLoad>,
}

/// One load.
#[derive(Debug, Deserialize)]
pub(crate) struct WasmLoad {
    pub(crate) browser: String,
    /// Where the file came from.
    pub(crate) from: String,
    pub(crate) file_bytes: u64,
    pub(crate) wasm_memory_bytes: u64,
    /// How it was read, where that was not as in the other loads.
    pub(crate) note: Option<String>,
}
