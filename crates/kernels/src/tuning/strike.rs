//! Taking candidates out of a tuning.

use super::{Tuning, UpTo};
use crate::Choice;
use crate::shapes::GemmShape;

impl Tuning {
    /// Takes a candidate out wherever it could be chosen; false if some choice would have none left.
    #[must_use]
    pub fn strike(&mut self, choice: Choice) -> bool {
        match choice {
            Choice::Gemv(shape) => strike(&mut self.gemv, shape),
            Choice::Gemm(shape) => strike(&mut self.gemm, shape),
            // without tiles of any size, experts multiply as everything else then does: without tiles
            Choice::ExpertsTile(tile_m) => strike(&mut self.experts_tile_m, tile_m) || self.strike_tiles(),
            Choice::Rows(shape) => self.rows.strike(shape),
        }
    }

    fn strike_tiles(&mut self) -> bool {
        let shapes: Vec<GemmShape> =
            self.gemm.iter().flat_map(|rule| rule.candidates.all()).copied().collect();
        let mut tiles = shapes.into_iter().filter(|shape| matches!(shape, GemmShape::Tiled { .. }));
        tiles.all(|shape| strike(&mut self.gemm, shape))
    }
}

fn strike<T: Copy + PartialEq>(rules: &mut [UpTo<T>], candidate: T) -> bool {
    let mut is_struck = true;
    for rule in rules {
        is_struck &= rule.candidates.strike(candidate);
    }
    is_struck
}
