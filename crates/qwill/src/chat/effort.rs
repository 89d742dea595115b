//! OpenAI's `reasoning_effort`: one word for whether a model thinks, and how much.

use serde::Deserialize;

/// How much a model should think.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    Xhigh,
    Max,
}

impl Effort {
    /// Whether it thinks at all.
    pub(super) fn thinks(self) -> bool {
        self != Self::None
    }

    /// Most tokens of the thoughts; absent: as many as the model likes.
    pub(super) fn budget(self) -> Option<usize> {
        match self {
            Self::Minimal => Some(256),
            Self::Low => Some(1024),
            Self::Medium => Some(4096),
            Self::High => Some(16_384),
            Self::None | Self::Xhigh | Self::Max => None,
        }
    }
}
