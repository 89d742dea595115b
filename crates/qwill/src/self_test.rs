//! Kernels are tried on a device before a model uses them, and what is found is kept.

use qwill_gpu::Gpu;
use qwill_kernels::self_test::Findings;
use serde::Serialize;

use crate::findings_file;

/// Whether kernels are tried on the device before a model uses them, each with a small case whose result is known. One that
/// is wrong is not used, if another can take its place.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum SelfTest {
    /// Once for each device, driver and version of this library: what is found is kept in the user's cache folder. In a
    /// browser there is none, and it is the same as [`Self::From`] nothing.
    #[default]
    Kept,
    /// Going on from what an earlier load found on the device; [`Model::findings`](crate::Model::findings) are to be kept
    /// by the caller.
    From(Findings),
    /// Not at all.
    Off,
}

/// What is known of a device's kernels.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DeviceFindings {
    /// Kernels that compute what they should.
    pub right: usize,
    /// Those that do not, and why; they are not used.
    pub wrong: Vec<String>,
}

impl DeviceFindings {
    pub(crate) fn of(findings: &Findings) -> Self {
        Self { right: findings.n_right(), wrong: findings.wrong.iter().map(ToString::to_string).collect() }
    }

    /// What is kept of a device.
    pub(crate) fn kept(gpu: &Gpu) -> Self {
        Self::of(&findings_file::read(gpu))
    }
}
