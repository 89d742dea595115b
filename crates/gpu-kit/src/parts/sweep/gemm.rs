//! Projections of a chunk of a prompt, and what projections have in common.

use std::rc::Rc;

use qwill_kernels::{
    Epilogue, Error, GEMM_MAX_TILE_M, GemmShape, Launch, NormRows, Project, RowOrder, StepShape, align_row,
    cpu, gemm,
};
use qwill_testkit::{HostMatrix, Report, Rig, Rng, Upload, block_on, padded_rows};
use qwill_weights::Layout;

use super::site::Site;
use crate::job::Size;

/// Rows of a matrix that differ: a prime number of them, so that no tile begins as another does.
const N_DISTINCT: usize = 61;
/// Rows of tokens that are compared: the first, and the last.
const COMPARED: usize = 3;

/// Random weights whose rows repeat.
pub(super) fn matrix(rng: &mut Rng, layout: Layout, n: usize, k: usize) -> HostMatrix {
    HostMatrix::random(rng, layout, N_DISTINCT.min(n), k).repeated(n)
}

/// Magnitudes of numbers.
pub(super) fn abs(values: &[f32]) -> Vec<f32> {
    values.iter().map(|value| value.abs()).collect()
}

/// A projection that stores what it gets.
pub(super) fn project(rig: &Rig, host: &HostMatrix, x: &[f32], n_rows: usize) -> Project {
    let mut x = padded_rows(x, host.k);
    x.resize(n_rows * align_row(host.k), 0.0);
    Project {
        matrix: Rc::new(host.upload(rig, RowOrder::Plain, u64::MAX)),
        x: rig.upload("x", &x),
        y: rig.empty("y", n_rows * host.n_rows * 4),
        y_stride: host.n_rows,
        first_output: 0,
        epilogue: Epilogue::Store(None),
    }
}

/// A projection of a prefill step.
pub(super) struct Gemm {
    place: &'static str,
    layout: Layout,
    n: usize,
    k: usize,
    n_tokens: usize,
    bound: Option<(HostMatrix, Vec<f32>, Project)>,
}

/// (place, N, K)
const PLACES: [(&str, usize, usize); 3] =
    [("8b gate_up", 24_576, 4096), ("0.6b gate_up", 6144, 1024), ("8b down", 4096, 12_288)];

/// All places in all layouts, the first layout's before those of the next.
pub(super) fn sites(size: Size, layouts: &[Layout]) -> Vec<Gemm> {
    let site = |layout, (place, n, k)| match size {
        Size::Full => Gemm { place, layout, n, k, n_tokens: 512, bound: None },
        Size::Quick => Gemm { place, layout, n: 96, k: k / 16, n_tokens: 33, bound: None },
    };
    layouts.iter().flat_map(|&layout| PLACES.map(|place| site(layout, place))).collect()
}

impl Site<GemmShape> for Gemm {
    fn name(&self) -> String {
        format!("{} {} tokens {}x{} {:?}", self.place, self.n_tokens, self.n, self.k, self.layout)
    }

    fn as_taken(&self, candidate: GemmShape) -> GemmShape {
        candidate
    }

    fn bind(&mut self, rig: &mut Rig) -> Result<Vec<Launch>, Error> {
        let (_, _, project) = self.bound.get_or_insert_with(|| {
            let mut rng = Rng::new(2);
            let host = matrix(&mut rng, self.layout, self.n, self.k);
            let x = rng.floats(self.n_tokens * self.k, 2.0);
            let n_rows = self.n_tokens.next_multiple_of(GEMM_MAX_TILE_M as usize);
            let project = project(rig, &host, &x, n_rows);
            (host, x, project)
        });
        block_on(gemm(&mut rig.kernels, project, NormRows::All, self.n_tokens))
    }

    fn step(&self) -> StepShape {
        StepShape::of_one(self.n_tokens as u32, self.n_tokens as u32, 0, 16)
    }

    fn cost(&self) -> (f64, f64) {
        let bytes = self.bound.as_ref().map_or(0, |(_, _, project)| project.matrix.bytes());
        (bytes as f64, (2 * self.n_tokens * self.n * self.k) as f64)
    }

    fn worst_error(&self, rig: &Rig) -> f64 {
        let Some((host, x, project)) = &self.bound else { return f64::NAN };
        let found: Vec<f32> = rig.read(&project.y);
        let rows = (0..COMPARED).chain([self.n_tokens - 1]);
        let errors = rows.map(|row| {
            let x = &x[row * self.k..][..self.k];
            let wanted = host.of_all_rows(&cpu::gemm(&host.values, x, self.k));
            let scale = host.of_all_rows(&cpu::gemm(&abs(&host.values), &abs(x), self.k));
            Report::new(&found[row * self.n..][..self.n], &wanted, |i| scale[i]).worst
        });
        errors.fold(0.0, f64::max)
    }
}
