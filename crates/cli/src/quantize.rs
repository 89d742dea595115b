//! `qwill quantize`: a model as a GGUF file in another number format.

use pollster::block_on;

use crate::args::QuantizeArgs;
use crate::failure::Failure;
use crate::model::{files, shown_on};
use crate::terminal::progress_bar;

pub(crate) fn quantize(args: &QuantizeArgs) -> Result<(), Failure> {
    let files = files(&args.model)?;
    let bar = progress_bar("converting {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    let target = &args.target;
    let written =
        block_on(qwill::quantize(files, args.format, &target.output, target.existing(), &mut shown_on(&bar)));
    bar.finish_and_clear();
    Ok(written?)
}
