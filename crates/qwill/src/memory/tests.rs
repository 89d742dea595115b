//! What is planned for weights is what loading allocates for them, to the byte and for every golden checkpoint.

use std::path::Path;

use pollster::block_on;
use qwill_engine::{Loader, WeightSource};
use qwill_gpu::Gpu;
use qwill_testkit::golden::{FLOATS, QUANTISED};
use qwill_weights::ReadAhead;

use super::WeightBytes;
use crate::opened::{conversions, open, plan, tensors};
use crate::{Control, LoadOptions, ModelFiles};

/// Plans and allocates the weights of all goldens; nothing is read or compiled.
#[track_caller]
fn agree(options: &LoadOptions) {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    let gpu = block_on(Gpu::open(&options.gpu_options().unwrap())).unwrap();
    for checkpoint in FLOATS.iter().chain(&QUANTISED) {
        let files = ModelFiles::from_path(goldens.join(checkpoint)).unwrap();
        let opened = block_on(open(files, options)).unwrap();
        let plan = plan(&opened).unwrap();
        let conversions = conversions(&plan, options);
        let source = WeightSource(tensors(&opened).unwrap().converting(&conversions));
        let planned = WeightBytes::of(&plan, &source).unwrap().bytes;
        let progress = &mut |_| Control::Continue;
        let mut loader = Loader::new(&gpu, plan.architecture, source, ReadAhead::default(), 0, progress);
        let before = gpu.totals().allocated;
        let weights = block_on(loader.allocate(&plan)).unwrap();
        assert_eq!(gpu.totals().allocated - before, planned, "{checkpoint}");
        drop(weights);
        assert!(planned > 0, "{checkpoint}");
    }
}

#[test]
fn planned_weights_are_what_loading_allocates() {
    agree(&LoadOptions::default());
}

#[test]
fn planned_weights_are_what_loading_allocates_in_shards() {
    agree(&LoadOptions { caps_mask: "max-binding=384KiB".into(), ..LoadOptions::default() });
}

#[test]
fn planned_weights_are_what_loading_allocates_when_it_converts() {
    for format in ["q4_k", "q8_0"] {
        agree(&LoadOptions { quantize: Some(format.parse().unwrap()), ..LoadOptions::default() });
    }
}
