//! Mixtures of experts beside dense models.

use super::super::records::Mixtures;
use super::figures::{bytes, range};
use super::markdown::Table;

/// A row a pair.
pub(super) fn text(mixtures: &Mixtures) -> String {
    let mut table = Table::new([
        "mixture",
        "dense model",
        "weights read a token, mixture and dense",
        "times as long for a prompt, at equal active weights",
        "the same with the GEMM of GPUs",
    ]);
    for pair in &mixtures.pairs {
        let read = &pair.weight_bytes_per_token;
        let before = &pair.before_serial_gemm;
        table.row([
            pair.moe.clone(),
            pair.dense.clone(),
            format!("{}, {}", bytes(read.moe), bytes(read.dense)),
            range(&pair.slower_by_at_equal_active_params),
            format!("{} ({})", range(&before.slower_by_at_equal_active_params), before.commit),
        ]);
    }
    let Mixtures { device, command, stamp, .. } = mixtures;
    format!("{device} ({}): {command}.\n\n{table}", stamp.shown())
}
