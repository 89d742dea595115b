//! Buffers of an engine beside weights, registers and cache; of each its bytes before it is made.

use qwill_gpu::{Buffer, Gpu, Usage};
use qwill_kernels::Groups;

use super::groupings::Groupings;
use crate::Error;

/// Small buffers that steer a step, or their bytes.
pub(super) struct Steering<T> {
    pub(super) step: T,
    pub(super) next: T,
    /// The tokens of a step, and behind them its reports.
    pub(super) drawn: T,
    pub(super) samplers: T,
    pub(super) biases: T,
    pub(super) allowed: T,
    pub(super) counts: T,
    pub(super) candidates: T,
    /// A page of all layers on its way to another place.
    pub(super) page: T,
    pub(super) partial: T,
    pub(super) stats: T,
}

impl<T> Steering<T> {
    /// Each with its name.
    pub(super) fn each(&self) -> [(&'static str, &T); 11] {
        [
            ("step", &self.step),
            ("next tokens", &self.next),
            ("drawn tokens", &self.drawn),
            ("sampler settings", &self.samplers),
            ("logit biases", &self.biases),
            ("allowed tokens", &self.allowed),
            ("token counts", &self.counts),
            ("candidates", &self.candidates),
            ("cache page", &self.page),
            ("attention splits", &self.partial),
            ("attention split statistics", &self.stats),
        ]
    }
}

impl Steering<u64> {
    /// Makes them.
    pub(super) async fn make(&self, gpu: &Gpu) -> Result<Steering<Buffer>, Error> {
        let mut made = Vec::new();
        for (name, &bytes) in self.each() {
            made.push(gpu.buffer(name, bytes, Usage::Storage).await?);
        }
        let Ok([step, next, drawn, samplers, biases, allowed, counts, candidates, page, partial, stats]) =
            <[Buffer; 11]>::try_from(made)
        else {
            unreachable!("one for each")
        };
        Ok(Steering {
            step,
            next,
            drawn,
            samplers,
            biases,
            allowed,
            counts,
            candidates,
            page,
            partial,
            stats,
        })
    }
}

/// Which token goes to which expert, as buffers or their bytes; all mixtures of a plan share them.
pub(super) struct Routes<T, G> {
    /// Experts and weights of each token.
    pub(super) of_tokens: T,
    /// Tokens by expert, in steps of few tokens.
    pub(super) few: G,
    /// The same in steps of many.
    pub(super) many: G,
}

/// Bytes of tokens by expert.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupBytes {
    pub(super) assignments: u64,
    pub(super) tiles: u64,
}

impl Routes<u64, GroupBytes> {
    /// Each with its name.
    pub(super) fn each(&self) -> [(&'static str, u64); 5] {
        [
            ("routes", self.of_tokens),
            ("few tokens by expert", self.few.assignments),
            ("tiles of few tokens by expert", self.few.tiles),
            ("tokens by expert", self.many.assignments),
            ("tiles of tokens by expert", self.many.tiles),
        ]
    }

    /// Makes them.
    pub(super) async fn make(
        &self,
        gpu: &Gpu,
        groupings: Groupings,
    ) -> Result<Routes<Buffer, Groups>, Error> {
        let [routes, few_assignments, few_tiles, assignments, tiles] = self.each();
        let buffer = async |(name, bytes)| gpu.buffer(name, bytes, Usage::Storage).await;
        Ok(Routes {
            of_tokens: buffer(routes).await?,
            few: Groups {
                grouping: groupings.few,
                assignments: buffer(few_assignments).await?,
                tiles: buffer(few_tiles).await?,
            },
            many: Groups {
                grouping: groupings.many,
                assignments: buffer(assignments).await?,
                tiles: buffer(tiles).await?,
            },
        })
    }
}
