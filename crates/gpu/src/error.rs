//! Errors of the GPU layer.

/// What can go wrong between the runtime and the device.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There is no GPU, or no driver that this program can talk to.
    #[error("no GPU was found ({found}). {advice}")]
    NoGpu {
        /// The backend's own words.
        found: String,
        /// What the person can do.
        advice: String,
    },
    /// The GPU refused to open a device.
    #[error("the GPU {gpu} refused a device: {reason}")]
    NoDevice {
        /// The GPU's name.
        gpu: String,
        /// The backend's own words.
        reason: String,
    },
    /// An allocation failed or exceeds what the device can hold.
    #[error("not enough GPU memory for {what}: {bytes} bytes are needed, {limit}")]
    OutOfMemory {
        /// What was being allocated.
        what: String,
        /// Its size.
        bytes: u64,
        /// The limit that was hit, in words.
        limit: String,
    },
    /// A kernel did not compile or failed validation.
    #[error("the kernel {kernel} does not compile on this device: {reason}")]
    Kernel {
        /// The kernel's name.
        kernel: String,
        /// The compiler's message.
        reason: String,
    },
    /// Times by dispatch were asked of a device that has no timestamps.
    #[error(
        "the GPU {gpu} has no timestamp queries, so that no time by kernel can be measured; the times of whole \
         steps can"
    )]
    NoTimestamps {
        /// The GPU's name.
        gpu: String,
    },
    /// The device reported an error outside any scope.
    #[error("the GPU reported an error: {0}")]
    Device(String),
    /// The device is gone (driver reset, unplugged, tab in the background for too long, or destroyed).
    #[error("the GPU device was lost: {0}. Load the model again to go on")]
    Lost(String),
}
