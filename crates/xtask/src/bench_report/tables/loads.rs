//! Loads beside a plain read.

use super::super::records::{Disk, Format, Loads};
use super::figures::{bytes, range};
use super::markdown::Table;

/// A row a format, two columns a disk.
pub(super) fn text(loads: &Loads) -> String {
    let disks = [&loads.own_disk, &loads.own_disk_memory_kept, &loads.steady_disk];
    let mut table = Table::new([
        "",
        "own disk: repacked",
        "own disk: loaded",
        "memory kept: repacked",
        "memory kept: loaded",
        "steady disk: repacked",
        "steady disk: loaded",
    ]);
    for name in loads.own_disk.formats.keys() {
        let mut row = vec![name.clone()];
        for disk in disks {
            row.extend(speeds(disk.formats.get(name)));
        }
        table.row(row);
    }
    let [own, kept, steady] = disks.map(plain_reads);
    let large = &loads.large;
    format!(
        "{}: {}.\n\n{table}\nA plain read has {own} GB/s of the own disk, {kept} in the runs with the memory kept, and \
         {steady} of the steady disk. A file of {} takes {} of the heap ({}).\n",
        loads.stamp.shown(),
        loads.machine,
        bytes(large.bytes),
        bytes(large.peak_heap_bytes),
        large.commit
    )
}

/// Reading and repacking, and a load, beside a plain read.
fn speeds(format: Option<&Format>) -> [String; 2] {
    match format {
        Some(format) => [&format.read_and_repack, &format.load_weights]
            .map(|load| format!("{:.2}", load.speed_of_plain_read.best)),
        None => Default::default(),
    }
}

/// The speeds of plain reads, from the slowest file to the fastest.
fn plain_reads(disk: &Disk) -> String {
    let speed = |format: &Format| format.bytes as f64 / format.plain_read.best_s / 1e9;
    range(&disk.formats.values().map(speed).collect::<Vec<_>>())
}
