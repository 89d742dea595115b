//! How a model's files become what lies on the device, in turns with a plain read of the same files.
//!
//! A turn is a plain sequential read, and the same with every tensor repacked and thrown away, one or the other first in
//! turn, then a whole `Model::load`; what is reported is the best and the median of the turns, in seconds, once with the
//! files dropped from memory before each of them (`cold`, on Linux only: other systems have no call for it) and once with
//! the files in memory (`cached`). `load_weights` is the part of a load up to its last byte on the device: with the opening
//! of the device and most pipelines, but without the first steps, which a software GPU spends its time on. The heap's peak
//! is that of the loads. On a disk whose speed is not steady, see `tests/bench/steady-disk.sh`.

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use peak_alloc::PeakAlloc;
use pollster::block_on;
use qwill::{Control, LoadOptions, Model, ModelFiles};
use qwill_weights::{ByteSource, Checkpoint, FileSource, Pieces, ReadAhead, Tensor, Tensors};
use serde_json::{Value, json};

use crate::failure::Failure;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Bytes that a plain read asks for at a time.
const CHUNK: usize = 8 << 20;

/// How many turns there are.
pub(crate) struct Turns {
    /// At most so many, and at least one.
    pub(crate) most: usize,
    /// After that no other one begins.
    pub(crate) deadline: Option<Instant>,
}

impl Turns {
    /// As many as that, however long they take.
    pub(crate) fn exactly(most: usize) -> Self {
        Self { most, deadline: None }
    }

    /// The same for the first half of the time.
    fn half(&self) -> Self {
        let now = Instant::now();
        let deadline = self.deadline.map(|deadline| now + deadline.saturating_duration_since(now) / 2);
        Self { deadline, ..*self }
    }

    fn begins(&self, turn: usize) -> bool {
        turn == 0 || (turn < self.most && self.deadline.is_none_or(|deadline| Instant::now() < deadline))
    }
}

/// Measures a GGUF file or a Hugging Face directory; `so_far` sees what there is when the half of it is done.
pub(crate) fn measure(
    path: &Path,
    turns: &Turns,
    mut so_far: impl FnMut(&Value) -> Result<(), Failure>,
) -> Result<Value, Failure> {
    let files = weight_files(path)?;
    let mut bytes = 0;
    for file in &files {
        bytes += file.metadata()?.len();
    }
    let mut found =
        json!({ "model": path.file_name().unwrap_or_default().to_string_lossy(), "bytes": bytes });
    found["cold"] = if cfg!(target_os = "linux") {
        take_turns(path, &files, &turns.half(), drop_from_memory)?
    } else {
        json!("this system has no call that drops a file from memory")
    };
    so_far(&found)?;
    found["cached"] = take_turns(path, &files, turns, |_| Ok(()))?;
    Ok(found)
}

/// Turns of everything, each with the files as `prepare` leaves them.
fn take_turns(
    path: &Path,
    files: &[PathBuf],
    turns: &Turns,
    prepare: impl Fn(&Path) -> Result<(), Failure>,
) -> Result<Value, Failure> {
    let prepare = || files.iter().try_for_each(|file| prepare(file));
    let [mut plain, mut repacked, mut weights, mut whole] = [const { Vec::new() }; 4];
    let mut peak_heap = 0;
    for turn in (0..).take_while(|&turn| turns.begins(turn)) {
        // What comes first may find the disk's own memory cold, and warms it for what follows.
        for is_plain in [turn % 2 == 0, turn % 2 == 1] {
            prepare()?;
            if is_plain {
                plain.push(seconds(|| files.iter().try_for_each(|file| plain_read(file)))?);
            } else {
                repacked.push(seconds(|| block_on(repack(path, files)))?);
            }
        }
        prepare()?;
        let heap_before = HEAP.current_usage();
        HEAP.reset_peak_usage();
        let started = Instant::now();
        let mut last_byte = 0.0;
        let mut on_progress = |_| {
            last_byte = started.elapsed().as_secs_f64();
            Control::Continue
        };
        let options = LoadOptions { context_length: Some(512), ..LoadOptions::default() };
        block_on(Model::load(ModelFiles::from_path(path)?, &options, &mut on_progress))?;
        whole.push(started.elapsed().as_secs_f64());
        weights.push(last_byte);
        peak_heap = peak_heap.max(HEAP.peak_usage().saturating_sub(heap_before));
    }
    let n_turns = plain.len();
    let [plain, repacked, weights, whole] = [plain, repacked, weights, whole].map(|mut turns| {
        turns.sort_by(f64::total_cmp);
        (turns[0], turns[turns.len() / 2])
    });
    let summary = |(best, median): (f64, f64)| json!({ "best_s": best, "median_s": median, "speed_of_plain_read": plain.1 / median });
    Ok(json!({
        "turns": n_turns,
        "plain_read": summary(plain),
        "read_and_repack": summary(repacked),
        "load_weights": summary(weights),
        "load": summary(whole),
        "peak_heap_bytes": peak_heap,
    }))
}

/// Has the system forget what it holds of a file, so that the next read comes from the disk.
#[cfg(target_os = "linux")]
fn drop_from_memory(path: &Path) -> Result<(), Failure> {
    let file = File::open(path)?;
    // pages that are not written yet stay
    file.sync_all()?;
    Ok(rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?)
}

#[cfg(not(target_os = "linux"))]
fn drop_from_memory(_: &Path) -> Result<(), Failure> {
    Err("this system has no call that drops a file from memory".into())
}

fn seconds(work: impl FnOnce() -> Result<(), Failure>) -> Result<f64, Failure> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed().as_secs_f64())
}

/// The files that hold the weights.
fn weight_files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
    let files = entries.into_iter().map(|entry| entry.path());
    Ok(files.filter(|file| file.extension().is_some_and(|e| e == "safetensors")).collect())
}

fn plain_read(path: &Path) -> Result<(), Failure> {
    let (mut file, mut buffer) = (File::open(path)?, vec![0; CHUNK]);
    while file.read(&mut buffer)? > 0 {
        black_box(&buffer);
    }
    Ok(())
}

/// Every tensor as the streams of its layout, as the loader asks for them.
async fn repack(path: &Path, files: &[PathBuf]) -> Result<(), Failure> {
    let sources = files.iter().map(|file| Ok(Arc::new(FileSource::open(file)?) as Arc<dyn ByteSource>));
    let sources = sources.collect::<Result<Vec<_>, qwill_weights::Error>>()?;
    let (checkpoint, quantization) = if path.is_file() {
        (Checkpoint::open_gguf(sources).await?, Value::Null)
    } else {
        let config: Value = serde_json::from_slice(&std::fs::read(path.join("config.json"))?)?;
        (Checkpoint::open_safetensors(sources, None).await?, config["quantization_config"].clone())
    };
    let rows = matrices(&checkpoint, &Tensors::new(&checkpoint, Some(&quantization))?)?;
    let mut pieces = Pieces::following(ReadAhead::start(rows.iter().cloned()));
    for (tensor, rows) in rows {
        pieces.add(0, tensor.layout, vec![(tensor, rows)]);
    }
    pieces
        .fill(async |filled| {
            black_box(&filled.streams);
            Ok(())
        })
        .await
}

/// All rows of all tensors, those of packed layers put together.
fn matrices<'c>(
    checkpoint: &'c Checkpoint,
    tensors: &Tensors<'c>,
) -> Result<Vec<(Tensor<'c>, Range<usize>)>, Failure> {
    let parts = [".qzeros", ".scales", ".g_idx", ".weight_scale_inv"];
    let names = checkpoint.tensors().filter(|info| !parts.iter().any(|part| info.name.ends_with(part)));
    names
        .map(|info| {
            let name = info.name.replace(".qweight", ".weight");
            let tensor = tensors.get(&name)?.ok_or("a tensor is not there any more")?;
            let rows = 0..tensor.n_rows();
            Ok((tensor, rows))
        })
        .collect()
}
