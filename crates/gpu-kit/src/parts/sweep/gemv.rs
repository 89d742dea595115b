//! Projections of one row.

use std::rc::Rc;

use qwill_kernels::{
    DeviceMatrix, Error, FusedNorm, GemvShape, Launch, Project, RowOrder, StepShape, cpu, gemv,
};
use qwill_testkit::{HostMatrix, Report, Rig, Rng, Upload, block_on, padded_rows};
use qwill_weights::Layout;

use super::gemm::{abs, matrix, project};
use super::site::{BEYOND_CACHES, Site};
use crate::job::Size;

const EPS: f32 = 1e-6;

/// A projection of a decode step.
pub(super) struct Gemv {
    place: &'static str,
    layout: Layout,
    n: usize,
    pub(super) k: usize,
    has_norm: bool,
    bound: Option<Bound>,
}

/// What is on the device; the same matrix several times, so that it comes from memory and not from a cache.
struct Bound {
    host: HostMatrix,
    copies: Vec<Rc<DeviceMatrix>>,
    x: Vec<f32>,
    gain: Vec<f32>,
    norm: Option<FusedNorm>,
    project: Project,
}

/// (place, N, K, with the norm fused in)
const PLACES: [(&str, usize, usize, bool); 9] = [
    ("0.6b qkv", 4096, 1024, true),
    ("0.6b o", 1024, 2048, false),
    ("0.6b gate_up", 6144, 1024, true),
    ("0.6b down", 1024, 3072, false),
    ("0.6b head", 151_936, 1024, false),
    ("8b qkv", 6144, 4096, true),
    ("8b o", 4096, 4096, false),
    ("8b gate_up", 24_576, 4096, true),
    ("8b down", 4096, 12_288, false),
];

/// All places in all layouts, the first layout's before those of the next.
pub(super) fn sites(size: Size, layouts: &[Layout]) -> Vec<Gemv> {
    let places = PLACES.map(|(place, n, k, has_norm)| match size {
        Size::Full => (place, n, k, has_norm),
        Size::Quick => (place, 96, k / 8, has_norm),
    });
    let site = |layout, (place, n, k, has_norm)| Gemv { place, layout, n, k, has_norm, bound: None };
    layouts.iter().flat_map(|&layout| places.map(|place| site(layout, place))).collect()
}

impl Gemv {
    fn upload(&self, rig: &Rig) -> Bound {
        let mut rng = Rng::new(1);
        let host = matrix(&mut rng, self.layout, self.n, self.k);
        let (x, gain) = (rng.floats(self.k, 2.0), rng.floats(self.k, 2.0));
        let project = project(rig, &host, &x, 1);
        let mut copies = vec![project.matrix.clone()];
        if !rig.caps().is_software {
            let more = (BEYOND_CACHES / project.matrix.bytes()).min(63);
            copies.extend((0..more).map(|_| Rc::new(host.upload(rig, RowOrder::Plain, u64::MAX))));
        }
        let norm = self
            .has_norm
            .then(|| FusedNorm { gain: rig.upload("gain", &padded_rows(&gain, self.k)), eps: EPS });
        Bound { host, copies, x, gain, norm, project }
    }
}

impl Site<GemvShape> for Gemv {
    fn name(&self) -> String {
        format!("{} {}x{} {:?}", self.place, self.n, self.k, self.layout)
    }

    fn as_taken(&self, candidate: GemvShape) -> GemvShape {
        candidate.for_layout(self.layout)
    }

    fn bind(&mut self, rig: &mut Rig) -> Result<Vec<Launch>, Error> {
        let bound = self.bound.take().unwrap_or_else(|| self.upload(rig));
        let Bound { copies, norm, project, .. } = self.bound.insert(bound);
        let mut launches = Vec::new();
        for matrix in copies {
            let project = Project { matrix: matrix.clone(), ..project.clone() };
            launches.extend(block_on(gemv(&mut rig.kernels, &project, norm.as_ref()))?);
        }
        Ok(launches)
    }

    fn step(&self) -> StepShape {
        StepShape::of_one(1, 1, 1, 16)
    }

    fn cost(&self) -> (f64, f64) {
        let copies = self.bound.as_ref().map(|bound| &bound.copies[..]).unwrap_or_default();
        let bytes: u64 = copies.iter().map(|matrix| matrix.bytes()).sum();
        (bytes as f64, (2 * self.n * self.k * copies.len()) as f64)
    }

    fn worst_error(&self, rig: &Rig) -> f64 {
        let Some(Bound { host, x, gain, project, .. }) = &self.bound else { return f64::NAN };
        let twin = |values: &[f32], x: &[f32], gain: &[f32]| {
            let norm = self.has_norm.then_some((gain, f64::from(EPS)));
            host.of_all_rows(&cpu::gemv(values, x, norm))
        };
        let wanted = twin(&host.values, x, gain);
        let scale = twin(&abs(&host.values), &abs(x), &abs(gain));
        Report::new(&rig.read(&project.y), &wanted, |i| scale[i]).worst
    }
}
