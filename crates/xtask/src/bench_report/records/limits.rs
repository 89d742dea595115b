//! What a device was measured to be able to do at most.

use super::{Kit, Stamp};
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::Value;

/// The limits of one device.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) device: String,
    pub(crate) driver: String,
    pub(crate) stamp: Stamp,
    pub(crate) figures: LimitFigures,
}

/// What was measured; not every device can do all of it.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(from = "Value")]
pub(crate) struct LimitFigures {
    /// 10^9 bytes a second.
    pub(crate) read_gbps: Option<f64>,
    /// 10^9 bytes read and written a second.
    pub(crate) copy_gbps: Option<f64>,
    /// 10^12 operations a second.
    pub(crate) f32_tflops: Option<f64>,
    pub(crate) f16_tflops: Option<f64>,
    pub(crate) dot4_tops: Option<f64>,
    /// Microseconds.
    pub(crate) dispatch_us: Option<f64>,
    pub(crate) submit_us: Option<f64>,
    pub(crate) readback_us: Option<f64>,
}

impl From<Value> for LimitFigures {
    /// What could not be measured has an error in the place of its figure.
    fn from(result: Value) -> Self {
        let figure = |pointer| result.pointer(pointer).and_then(Value::as_f64);
        let by_bytes_a_load = result["read_gbps"].as_object();
        Self {
            read_gbps: by_bytes_a_load
                .and_then(|all| all.values().filter_map(Value::as_f64).reduce(f64::max)),
            copy_gbps: figure("/copy_gbps"),
            f32_tflops: figure("/f32_tflops"),
            f16_tflops: figure("/f16_tflops"),
            dot4_tops: figure("/dot4_tops"),
            dispatch_us: figure("/launch_us/waiting"),
            submit_us: figure("/round_trip_us/submit"),
            readback_us: figure("/round_trip_us/readback"),
        }
    }
}

/// Reads the limits of a kit's device.
pub(super) fn of_kit(kit: Kit<LimitFigures>) -> serde_json::Result<Limits> {
    if kit.result == LimitFigures::default() {
        let reason = "`result` has no limit that is known, such as `read_gbps`";
        return Err(serde_json::Error::custom(reason));
    }
    Ok(Limits {
        device: kit.device.label(),
        driver: kit.device.driver.unwrap_or_default(),
        stamp: kit.stamp,
        figures: kit.result,
    })
}
