//! What callbacks are told and answer.

/// Whether to go on; what every callback answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// End it here.
    Stop,
}

/// How far a load has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadProgress {
    /// Bytes of tensors that are on the device.
    pub bytes_done: u64,
    /// Bytes of all tensors that the model uses.
    pub bytes_total: u64,
}
