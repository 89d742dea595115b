//! What devices can do at most.

use super::super::records::Limits;
use super::figures::figure;
use super::markdown::Table;

/// A row a device.
pub(super) fn text(limits: &[Limits]) -> String {
    if limits.is_empty() {
        return "No device's limits have been recorded yet.\n".into();
    }
    let mut table = Table::new([
        "device",
        "driver",
        "read GB/s",
        "copy GB/s",
        "f32 TFLOP/s",
        "f16 TFLOP/s",
        "dot4 TOP/s",
        "dispatch µs",
        "submit µs",
        "readback µs",
        "measured",
    ]);
    for device in limits {
        let of = &device.figures;
        let figures = [
            of.read_gbps,
            of.copy_gbps,
            of.f32_tflops,
            of.f16_tflops,
            of.dot4_tops,
            of.dispatch_us,
            of.submit_us,
            of.readback_us,
        ];
        let mut row = vec![device.device.clone(), device.driver.clone()];
        row.extend(figures.map(|value| value.map(figure).unwrap_or_default()));
        row.push(device.stamp.shown());
        table.row(row);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::super::super::fabricated;
    use super::super::super::records::Records;
    use super::*;

    #[test]
    fn what_was_not_measured_is_empty() {
        let records = Records::of(&[("h100-limits", &fabricated::limits())]);
        let row = "| NVIDIA H100, Vulkan | 570.1 | 2900 | 2000 | 48.2 | 95.0 |  | 3.5 | 21.0 | 0.25 | abcdef0, 2027-01-02 |";
        assert_eq!(text(&records.limits).lines().nth(2), Some(row));
    }
}
