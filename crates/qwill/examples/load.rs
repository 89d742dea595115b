//! Measures how a model's files become what lies on the device, in turns with a plain read of the same files:
//!
//! ```sh
//! cargo run --release -p qwill --example load -- MODEL.gguf      # or a Hugging Face directory
//! ```
//!
//! Prints one JSON object: seconds of the best of five turns for a plain read, for reading and repacking with the
//! result thrown away, and once for `Model::load` with everything that the device adds, such as the copies of a
//! software GPU; and the peak of the heap meanwhile. Read the files once before, so that all turns find them in memory.

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use peak_alloc::PeakAlloc;
use pollster::block_on;
use qwill::weights::{ByteSource, Checkpoint, FileSource, Tensors};
use qwill::{Control, LoadOptions, Model, ModelFiles};
use serde_json::{Value, json};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const TURNS: usize = 5;
/// Bytes of the device's streams that the loader makes at a time.
const CHUNK: usize = 8 << 20;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let path = PathBuf::from(std::env::args().nth(1).ok_or("usage: load MODEL.gguf|DIRECTORY")?);
    let files = weight_files(&path)?;
    let mut bytes = 0;
    let mut best = [f64::MAX; 2];
    for _ in 0..TURNS {
        bytes = 0;
        let read_all = || {
            files.iter().try_for_each(|file| {
                bytes += plain_read(file)?;
                Ok(())
            })
        };
        best[0] = best[0].min(seconds(read_all)?);
        best[1] = best[1].min(seconds(|| block_on(repack(&path, &files)))?);
    }
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    let load = seconds(|| {
        let files = ModelFiles::from_path(&path)?;
        let options = LoadOptions { context_length: Some(512), ..LoadOptions::default() };
        block_on(Model::load(files, &options, &mut |_| Control::Continue))?;
        Ok(())
    })?;
    let report = json!({
        "model": path.file_name().unwrap_or_default().to_string_lossy(),
        "bytes": bytes,
        "plain_read_s": best[0],
        "read_and_repack_s": best[1],
        "speed_of_plain_read": best[0] / best[1],
        "load_s": load,
        "peak_heap_bytes": HEAP.peak_usage().saturating_sub(before),
    });
    println!("{report}");
    Ok(())
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

fn plain_read(path: &Path) -> Result<u64, Failure> {
    let (mut file, mut buffer, mut total) = (File::open(path)?, vec![0; CHUNK], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(total),
            n => total += black_box(&buffer[..n]).len() as u64,
        }
    }
}

/// Every tensor as the streams of its layout, as the loader asks for them.
async fn repack(path: &Path, files: &[PathBuf]) -> Result<(), Failure> {
    let sources = files.iter().map(|file| Ok(Rc::new(FileSource::open(file)?) as Rc<dyn ByteSource>));
    let sources = sources.collect::<Result<Vec<_>, qwill::weights::Error>>()?;
    let (checkpoint, quantization) = if path.is_file() {
        (Checkpoint::open_gguf(sources).await?, Value::Null)
    } else {
        let config: Value = serde_json::from_slice(&std::fs::read(path.join("config.json"))?)?;
        (Checkpoint::open_safetensors(sources, None).await?, config["quantization_config"].clone())
    };
    let tensors = Tensors::new(&checkpoint, Some(&quantization))?;
    for info in checkpoint.tensors() {
        let name = info.name.replace(".qweight", ".weight");
        let parts = [".qzeros", ".scales", ".g_idx", ".weight_scale_inv"];
        if parts.iter().any(|part| name.ends_with(part)) {
            continue;
        }
        let tensor = tensors.get(&name)?.ok_or("a tensor is not there any more")?;
        let reader = tensor.open().await?;
        let k = tensor.row_len();
        let row: usize =
            (0..tensor.layout.n_streams()).map(|s| tensor.layout.stream_row_words(s, k) * 4).sum();
        let chunk = (CHUNK / row.max(1)).max(1);
        for first in (0..tensor.n_rows()).step_by(chunk) {
            let rows = first..tensor.n_rows().min(first + chunk);
            black_box(reader.streams(rows, tensor.layout).await?);
        }
    }
    Ok(())
}
