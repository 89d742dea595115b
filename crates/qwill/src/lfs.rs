//! Pointers of Git LFS: what a clone has in place of large files when nobody fetched them.

use qwill_weights::ByteSource;

/// Pointers are smaller than this, by their specification.
const LARGEST: u64 = 1024;
/// What they begin with, today and in the first versions.
const BEGINNINGS: [&str; 2] =
    ["version https://git-lfs.github.com/spec/", "version https://hawser.github.com/spec/"];

/// Whether these are the bytes of a pointer.
pub(crate) fn is_pointer(bytes: &[u8]) -> bool {
    BEGINNINGS.iter().any(|beginning| bytes.starts_with(beginning.as_bytes()))
}

/// What to say of a file that is only a pointer, if it is one.
pub(crate) async fn explain(file: &dyn ByteSource) -> Result<Option<String>, qwill_weights::Error> {
    if file.len() >= LARGEST {
        return Ok(None);
    }
    let bytes = file.read(0..file.len()).await?;
    if !is_pointer(&bytes) {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&bytes);
    let size = text.lines().find_map(|line| line.strip_prefix("size "));
    let size = size.map(|size| format!(" of {} bytes", size.trim())).unwrap_or_default();
    Ok(Some(format!(
        "{} is a Git LFS pointer and not the file{size} that it stands for: the repository was cloned without Git LFS. \
         Run \"git lfs install\" and \"git lfs pull\" in it, or download the file from the hub",
        file.name()
    )))
}
