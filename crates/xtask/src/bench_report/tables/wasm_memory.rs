//! The memory of loads in browsers.

use super::super::records::WasmMemory;
use super::figures::bytes;
use super::markdown::Table;

/// A row a load.
pub(super) fn text(memory: &WasmMemory) -> String {
    let mut table = Table::new(["browser", "from", "file", "WebAssembly memory"]);
    for load in &memory.runs {
        table.row([
            load.browser.clone(),
            load.from.clone(),
            bytes(load.file_bytes),
            bytes(load.wasm_memory_bytes),
        ]);
    }
    let notes = memory.runs.iter().filter_map(|load| {
        let note = load.note.as_ref()?;
        Some(format!("\n{}: {note}.\n", bytes(load.file_bytes)))
    });
    format!("{}: {}.\n\n{table}{}", memory.stamp.shown(), memory.machine, notes.collect::<String>())
}
