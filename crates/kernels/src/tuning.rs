//! Tile sizes and reductions as data: for each choice its candidates, best first.
//!
//! [`Tuning::of`] names what a device can run, in the order that its facts suggest; a measurement on the device may
//! change the order ([`Candidates::prefer`]), be stored as JSON and be given back when a model is loaded.

mod candidates;
mod strike;

use qwill_gpu::Caps;
use qwill_weights::Layout;
use serde::{Deserialize, Serialize};

pub use self::candidates::Candidates;
use crate::shapes::{GemmShape, GemvShape, Reduction, RowShape};
use crate::{Choice, Error};

/// Largest tile of tokens a GEMM uses; activations are padded to whole tiles of it.
pub const GEMM_MAX_TILE_M: u32 = 64;

/// What holds up to a limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound(serialize = "T: Clone + Serialize", deserialize = "T: Copy + PartialEq + Deserialize<'de>"))]
pub struct UpTo<T> {
    /// The largest number that it holds for; absent: all above those of the rules before.
    pub most: Option<usize>,
    /// What holds.
    pub candidates: Candidates<T>,
}

/// How every kernel that has a choice is shaped on a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tuning {
    /// Shapes of a GEMV by K, the length of a row.
    pub gemv: Vec<UpTo<GemvShape>>,
    /// Shapes of a GEMM by M, the tokens of the largest step.
    pub gemm: Vec<UpTo<GemmShape>>,
    /// Rows in a tile of a grouped GEMM, by the assignments that an expert gets when all get the same.
    pub experts_tile_m: Vec<UpTo<u32>>,
    /// Shapes of reductions over a row.
    pub rows: Candidates<RowShape>,
    /// Invocations of the one workgroup that groups tokens by expert.
    pub group_workgroup: Candidates<u32>,
    /// Workgroups that decode attention spreads over before any takes a second block of tokens: some for each of a large GPU's
    /// cores. Each more costs `attend_merge` a vector.
    pub attend_workgroups: Candidates<usize>,
}

/// The first rule that holds for `n`.
fn up_to<T>(rules: &[UpTo<T>], n: usize) -> &Candidates<T> {
    let rule = rules.iter().find(|rule| rule.most.is_none_or(|most| n <= most));
    // `check` refuses rules without a last one for all
    &rule.or(rules.last()).expect("every choice has a rule").candidates
}

/// That of a GPU of which nothing else is known.
impl Default for Tuning {
    fn default() -> Self {
        Self::of_gpu(Reduction::Tree)
    }
}

impl Tuning {
    /// What suits a device by its facts alone.
    pub fn of(caps: &Caps) -> Self {
        match caps.subgroups {
            _ if caps.is_software => Self::of_cpu(),
            Some(_) => Self::of_gpu(Reduction::Subgroup),
            None => Self::of_gpu(Reduction::Tree),
        }
    }

    /// CPU devices emulate a barrier by running every invocation up to it, so there whole rows in one invocation win by
    /// far. Measured in turn on llvmpipe, 512 tokens by two layers in 4 bits: the serial GEMM is 1.5 to 2.3 times as fast
    /// as the tiled one for qwen3-1.7b, and 3.3 to 3.7 times for qwen3-30b-a3b, where a part of that is the order of
    /// the grid (`tests/bench/moe-llvmpipe.json`). Their few cores have enough to do with a split for each KV head: the demo
    /// model decodes 1.0 to 1.2 times as fast with one as with as many as a GPU wants.
    ///
    /// The last candidates are here and on GPUs for devices that get the better ones wrong.
    fn of_cpu() -> Self {
        let gemv = [(Reduction::Serial, 16), (Reduction::Tree, 64)].map(|(reduction, workgroup)| GemvShape {
            reduction,
            workgroup,
            rows: 4,
            span: 1,
        });
        let gemm = [GemmShape::Serial { workgroup: 16 }, GemmShape::Tiled { tile_m: 16 }];
        Self {
            gemv: vec![UpTo { most: None, candidates: Candidates::of(gemv) }],
            gemm: vec![UpTo { most: None, candidates: Candidates::of(gemm) }],
            experts_tile_m: experts_tiles(),
            rows: Candidates::of(
                [32, 64].map(|workgroup| RowShape { reduction: Reduction::Tree, workgroup }),
            ),
            group_workgroup: Candidates::one(32),
            attend_workgroups: Candidates::of([1, 8, 32, 128, 512]),
        }
    }

    /// GPUs want neighbouring invocations on neighbouring words, and enough of them to use a row up in few rounds.
    fn of_gpu(reduction: Reduction) -> Self {
        let gemv = |workgroup, rows, span| GemvShape { reduction, workgroup, rows, span };
        let gemv_from = |best: u32| {
            let mut shapes = vec![gemv(best, 4, 1)];
            for workgroup in [64, 128, 256] {
                shapes.extend([gemv(workgroup, 4, 1), gemv(workgroup, 4, 4), gemv(workgroup, 2, 4)]);
            }
            shapes.extend([gemv(32, 4, 1), gemv(32, 4, 4), gemv(64, 2, 1), gemv(64, 8, 1), gemv(64, 4, 2)]);
            let without_subgroups = [(Reduction::Tree, 64), (Reduction::Serial, 32)];
            shapes.extend(
                without_subgroups
                    .map(|(reduction, workgroup)| GemvShape { reduction, ..gemv(workgroup, 4, 1) }),
            );
            Candidates::of(shapes)
        };
        let tile = |tile_m| GemmShape::Tiled { tile_m };
        let serial = GemmShape::Serial { workgroup: 32 };
        let row = |workgroup| RowShape { reduction, workgroup };
        Self {
            gemv: vec![
                UpTo { most: Some(2048), candidates: gemv_from(64) },
                UpTo { most: Some(8192), candidates: gemv_from(128) },
                UpTo { most: None, candidates: gemv_from(256) },
            ],
            gemm: vec![
                UpTo { most: Some(16), candidates: Candidates::of([tile(16), serial]) },
                UpTo { most: None, candidates: Candidates::of([tile(64), tile(32), tile(16), serial]) },
            ],
            experts_tile_m: experts_tiles(),
            rows: Candidates::of([
                row(128),
                row(64),
                row(256),
                RowShape { reduction: Reduction::Tree, workgroup: 128 },
            ]),
            group_workgroup: Candidates::one(256),
            attend_workgroups: attend_workgroups(),
        }
    }

    /// Refuses a tuning that does not belong to a device: every candidate must be one that the device's own table has.
    ///
    /// # Errors
    /// Names the choice and the candidate.
    pub fn check(&self, caps: &Caps) -> Result<(), Error> {
        let own = Self::of(caps);
        check_rules("gemv", &self.gemv, &own.gemv)?;
        check_rules("gemm", &self.gemm, &own.gemm)?;
        check_rules("experts_tile_m", &self.experts_tile_m, &own.experts_tile_m)?;
        check_candidates("rows", &self.rows, &own.rows)?;
        check_candidates("group_workgroup", &self.group_workgroup, &own.group_workgroup)?;
        check_candidates("attend_workgroups", &self.attend_workgroups, &own.attend_workgroups)
    }

    /// The shape of a GEMV over rows of `k` elements.
    pub(crate) fn gemv(&self, layout: Layout, k: usize) -> GemvShape {
        up_to(&self.gemv, k).best().for_layout(layout)
    }

    /// What the shape of a GEMV over rows of `k` elements was chosen by.
    pub(crate) fn gemv_choice(&self, k: usize) -> Choice {
        Choice::Gemv(up_to(&self.gemv, k).best())
    }

    /// The shape of a GEMM for steps of at most `max_tokens`.
    pub(crate) fn gemm(&self, max_tokens: usize) -> GemmShape {
        up_to(&self.gemm, max_tokens).best()
    }

    /// The shape of a GEMM by experts with tiles of `tile_m` assignments.
    pub(crate) fn gemm_experts(&self, tile_m: u32) -> GemmShape {
        match self.gemm(usize::MAX) {
            GemmShape::Tiled { .. } => GemmShape::Tiled { tile_m },
            serial @ GemmShape::Serial { .. } => serial,
        }
    }

    /// Assignments in a tile of a grouped GEMM, at most, from those of a step and the experts that share them.
    ///
    /// A tile belongs to one expert, and its weights are read for each: it should hold what an expert gets. Rows that it
    /// does not have cost registers only, since the kernel skips them by eights.
    pub(crate) fn experts_tile_m(&self, n_assignments: usize, n_experts: usize) -> u32 {
        up_to(&self.experts_tile_m, n_assignments.div_ceil(n_experts)).best()
    }
}

fn experts_tiles() -> Vec<UpTo<u32>> {
    vec![
        UpTo { most: Some(8), candidates: Candidates::of([16, 32, 64]) },
        UpTo { most: None, candidates: Candidates::of([64, 32, 16]) },
    ]
}

fn attend_workgroups() -> Candidates<usize> {
    Candidates::of([512, 128, 256, 1024, 2048])
}

fn check_candidates<T: PartialEq + Copy + std::fmt::Debug>(
    choice: &str,
    given: &Candidates<T>,
    known: &Candidates<T>,
) -> Result<(), Error> {
    match given.all().iter().find(|candidate| !known.all().contains(candidate)) {
        None => Ok(()),
        Some(candidate) => Err(Error::Shape(format!(
            "the tuning's {choice} has {candidate:?}, which is no candidate on this device; there are {:?}",
            known.all()
        ))),
    }
}

fn check_rules<T: PartialEq + Copy + std::fmt::Debug>(
    choice: &str,
    given: &[UpTo<T>],
    known: &[UpTo<T>],
) -> Result<(), Error> {
    if given.last().is_none_or(|rule| rule.most.is_some()) {
        return Err(Error::Shape(format!("the tuning's {choice} needs a last rule without \"most\"")));
    }
    let all = Candidates::of(known.iter().flat_map(|rule| rule.candidates.all()).copied());
    given.iter().try_for_each(|rule| check_candidates(choice, &rule.candidates, &all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use qwill_gpu::SubgroupWidth;

    fn gpu() -> Caps {
        Caps {
            f16: true,
            subgroups: Some(SubgroupWidth { min: 32, max: 32 }),
            dot4: true,
            timestamps: true,
            max_binding: 128 << 20,
            max_buffer: 256 << 20,
            max_memory: None,
            max_workgroup_memory: 16 << 10,
            max_workgroup_size: 256,
            is_software: false,
            is_web: false,
        }
    }

    #[test]
    fn choices_follow_the_length_of_rows_and_the_layout() {
        let mut tuning = Tuning::of(&gpu());
        let workgroups = [1024, 2048, 4096, 8193].map(|k| tuning.gemv(Layout::Q4, k).workgroup);
        assert_eq!(workgroups, [64, 64, 128, 256]);
        let wide = GemvShape { reduction: Reduction::Subgroup, workgroup: 64, rows: 4, span: 4 };
        assert!(tuning.gemv[0].candidates.prefer(wide));
        let spans = [Layout::Q4, Layout::Q8, Layout::BF16].map(|layout| tuning.gemv(layout, 1024).span);
        assert_eq!(spans, [4, 2, 1]);
        assert_eq!(
            (tuning.gemm(16), tuning.gemm(17)),
            (GemmShape::Tiled { tile_m: 16 }, GemmShape::Tiled { tile_m: 64 })
        );
        assert_eq!((tuning.experts_tile_m(64, 8), tuning.experts_tile_m(65, 8)), (16, 64));
    }

    #[test]
    fn a_stored_tuning_comes_back_and_a_foreign_one_is_refused() {
        let caps = gpu();
        let tuning = Tuning::of(&caps);
        let text = serde_json::to_string(&tuning).unwrap();
        assert_eq!(serde_json::from_str::<Tuning>(&text).unwrap(), tuning);
        tuning.check(&caps).unwrap();
        let other = Caps { subgroups: None, ..caps.clone() };
        let message = tuning.check(&other).unwrap_err().to_string();
        assert!(
            message.contains("gemv") && message.contains("Subgroup") && message.contains("Tree"),
            "{message}"
        );
        let mut without_last = tuning.clone();
        without_last.gemm.pop();
        assert!(without_last.check(&caps).unwrap_err().to_string().contains("gemm"));
        let empty = text.replacen("[512,128,256,1024,2048]", "[]", 1);
        assert!(serde_json::from_str::<Tuning>(&empty).unwrap_err().to_string().contains("no candidate"));
    }
}
