//! `qwill random`: a model with random weights as a GGUF file, to measure with.

use pollster::block_on;
use qwill::RandomModel;

use crate::args::RandomArgs;
use crate::failure::Failure;
use crate::model::shown_on;
use crate::terminal::progress_bar;

pub(crate) fn random(args: &RandomArgs) -> Result<(), Failure> {
    let random = model(&args.shape, args.layers)?;
    let bar = progress_bar("writing {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    let written = block_on(random.write(&args.target.output, args.target.existing(), &mut shown_on(&bar)));
    bar.finish_and_clear();
    Ok(written?)
}

/// The random model that arguments name.
pub(crate) fn model(shape: &str, n_layers: Option<usize>) -> Result<RandomModel, Failure> {
    let random = RandomModel::parse(shape)?;
    Ok(match n_layers {
        Some(n_layers) => random.with_layers(n_layers)?,
        None => random,
    })
}
