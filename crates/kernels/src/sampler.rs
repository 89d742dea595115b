//! How tokens are drawn.

use bytemuck::NoUninit;

/// Logits that one workgroup looks through.
pub(crate) const CHUNK: usize = 1024;

/// Settings of a slot, as `shaders/shared/sampler.wgsl` lays them out.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, NoUninit)]
pub struct SamplerSettings {
    /// 0: greedy.
    pub temperature: f32,
    /// 0: off.
    pub top_k: u32,
    /// 1: off.
    pub top_p: f32,
    /// 0: off.
    pub min_p: f32,
    /// 1: off.
    pub repetition_penalty: f32,
    /// 0: off.
    pub presence_penalty: f32,
    /// 0: off.
    pub frequency_penalty: f32,
    /// Ids from here on are never sampled.
    pub n_vocab: u32,
    /// How many of the slot's [`LogitBias`]es count.
    pub n_biases: u32,
}

impl SamplerSettings {
    /// Draws from the model's own probabilities, of any number of tokens.
    pub const OFF: Self = Self {
        temperature: 1.0,
        top_k: 0,
        top_p: 1.0,
        min_p: 0.0,
        repetition_penalty: 1.0,
        presence_penalty: 0.0,
        frequency_penalty: 0.0,
        n_vocab: u32::MAX,
        n_biases: 0,
    };
}

/// What is added to a logit of a slot, which has them by rising id.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, NoUninit)]
pub struct LogitBias {
    /// The token.
    pub id: u32,
    /// What is added.
    pub bias: f32,
}

/// How many tokens may be drawn; each class has kernels of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DrawClass {
    /// Only the most likely one.
    Greedy,
    /// Up to 64.
    Few,
    /// All.
    All,
}

impl DrawClass {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Greedy, Self::Few, Self::All];

    /// That of a generation with these settings.
    pub fn of(settings: &SamplerSettings) -> Self {
        match settings.top_k {
            _ if settings.temperature <= 0.0 => Self::Greedy,
            1 => Self::Greedy,
            2..=64 => Self::Few,
            _ => Self::All,
        }
    }

    /// Candidates that each chunk of logits keeps.
    pub fn keep(self) -> usize {
        match self {
            Self::Greedy => 1,
            Self::Few => 64,
            Self::All => CHUNK,
        }
    }

    /// Candidates in all for a vocabulary of `n_vocab` rows.
    pub fn n_candidates(self, n_vocab: usize) -> usize {
        n_vocab.div_ceil(CHUNK) * self.keep()
    }
}
