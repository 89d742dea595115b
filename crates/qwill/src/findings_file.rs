//! What self-tests have found, in the user's cache folder: a file for each device, driver and version of this library.

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use self::native::{read, write};
#[cfg(target_arch = "wasm32")]
pub(crate) use self::web::{read, write};

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use std::fs;
    use std::io;
    use std::path::{Path, PathBuf};

    use qwill_gpu::Gpu;
    use qwill_kernels::self_test::Findings;
    use serde::{Deserialize, Serialize};
    use sha2::{Digest, Sha256};

    use crate::cache_folder::cache_folder;

    /// What a file says.
    #[derive(Serialize, Deserialize)]
    struct Kept {
        device: String,
        findings: Findings,
    }

    /// What kernels may depend on besides their text.
    fn device(gpu: &Gpu) -> String {
        let info = gpu.info();
        format!(
            "{} ({:?} {:x}:{:x}, {} {}), {}, qwill {}",
            info.name,
            info.backend,
            info.vendor,
            info.device,
            info.driver,
            info.driver_info,
            gpu.caps(),
            env!("CARGO_PKG_VERSION")
        )
    }

    fn path(device: &str) -> Option<PathBuf> {
        let name: String = Sha256::digest(device).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Some(cache_folder()?.join("self-test").join(name).with_extension("json"))
    }

    fn read_file(path: &Path, device: &str) -> Option<Findings> {
        let kept: Kept = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        (kept.device == device).then_some(kept.findings)
    }

    /// What is kept of a device; nothing if there is no file, or none that can be read.
    pub(crate) fn read(gpu: &Gpu) -> Findings {
        let device = device(gpu);
        path(&device).and_then(|path| read_file(&path, &device)).unwrap_or_default()
    }

    /// Keeps findings beside those that another process has kept in the meantime. Where nothing can be kept, kernels are
    /// tried again at the next load.
    pub(crate) fn write(gpu: &Gpu, findings: &Findings) {
        let device = device(gpu);
        let Some(path) = path(&device) else { return };
        let mut findings = findings.clone();
        findings.add(read_file(&path, &device).unwrap_or_default());
        if let Err(error) = write_file(&path, &Kept { device, findings }) {
            tracing::debug!("what the self-test found is not kept in {}: {error}", path.display());
        }
    }

    fn write_file(path: &Path, kept: &Kept) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // others may write at the same time
        let partial = path.with_extension(format!("{}.partial", std::process::id()));
        fs::write(&partial, serde_json::to_vec(kept)?)?;
        fs::rename(&partial, path)
    }
}

#[cfg(target_arch = "wasm32")]
mod web {
    use qwill_gpu::Gpu;
    use qwill_kernels::self_test::Findings;

    /// Nothing: a browser has no folder of the user's.
    pub(crate) fn read(_: &Gpu) -> Findings {
        Findings::default()
    }

    /// Keeps nothing.
    pub(crate) fn write(_: &Gpu, _: &Findings) {}
}
