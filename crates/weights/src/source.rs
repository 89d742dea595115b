use std::borrow::Cow;
use std::ops::Range;

use crate::Error;

/// What threads may share. In a browser there is only one, and JavaScript's objects stay on it: there it is anything.
#[cfg(not(target_arch = "wasm32"))]
pub trait Shareable: Send + Sync {}
#[cfg(not(target_arch = "wasm32"))]
impl<T: Send + Sync + ?Sized> Shareable for T {}

/// What threads may share. In a browser there is only one, and JavaScript's objects stay on it: there it is anything.
#[cfg(target_arch = "wasm32")]
pub trait Shareable {}
#[cfg(target_arch = "wasm32")]
impl<T: ?Sized> Shareable for T {}

/// Random access to the bytes of one file, wherever it lies: on disk, in memory, behind HTTP.
///
/// Natively several threads read at once, each polling its own futures, which need not be [`Send`].
#[async_trait::async_trait(?Send)]
pub trait ByteSource: Shareable {
    /// File name or path or URL, for messages. Sharded safetensors are matched with their index by
    /// the part after the last `/` (or `\`).
    fn name(&self) -> &str;

    /// Length in bytes.
    fn len(&self) -> u64;

    /// Whether there are no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The file on disk that this is, if it is one: it can be read in small pieces at no cost.
    #[cfg(not(target_arch = "wasm32"))]
    fn as_file(&self) -> Option<&FileSource> {
        None
    }

    /// Reads exactly the bytes of `range`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if the range does not lie inside the source, [`Error::Io`] or
    /// [`Error::Source`] if the bytes cannot be had.
    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, Error>;
}

/// Checks a range against a source and returns its length in bytes as a `usize`.
fn checked_len(name: &str, len: u64, range: &Range<u64>) -> Result<usize, Error> {
    let out_of_range =
        || Error::OutOfRange { file: name.to_owned(), start: range.start, end: range.end, len };
    if range.end > len {
        return Err(out_of_range());
    }
    let wanted = range.end.checked_sub(range.start).ok_or_else(out_of_range)?;
    usize::try_from(wanted).map_err(|_| out_of_range())
}

/// Reads a range and does not take the source's word for the number of bytes.
pub(crate) async fn read_exactly(source: &dyn ByteSource, range: Range<u64>) -> Result<Vec<u8>, Error> {
    let bytes = source.read(range.clone()).await?;
    if bytes.len() as u64 != range.end - range.start {
        return Err(Error::Source {
            file: source.name().to_owned(),
            reason: format!("bytes {}..{} were asked for, and {} came", range.start, range.end, bytes.len()),
        });
    }
    Ok(bytes)
}

/// Bytes that are already in memory.
pub struct MemorySource {
    name: String,
    bytes: Cow<'static, [u8]>,
}

impl MemorySource {
    /// Takes `bytes` as a file called `name`.
    pub fn new(name: impl Into<String>, bytes: impl Into<Cow<'static, [u8]>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }
}

#[async_trait::async_trait(?Send)]
impl ByteSource for MemorySource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, Error> {
        checked_len(&self.name, self.len(), &range)?;
        // The range lies inside a slice, so both ends fit `usize`.
        Ok(self.bytes[range.start as usize..range.end as usize].to_vec())
    }
}

/// A part of a file on the disk.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePart {
    /// Where the file lies.
    pub path: std::path::PathBuf,
    /// Its bytes.
    pub range: Range<u64>,
}

/// A file on disk, read with positioned reads: no mapping, no shared cursor.
#[cfg(not(target_arch = "wasm32"))]
pub struct FileSource {
    name: String,
    path: std::path::PathBuf,
    file: std::fs::File,
    len: u64,
}

#[cfg(not(target_arch = "wasm32"))]
impl FileSource {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be opened, or is a directory.
    pub fn open(path: impl AsRef<std::path::Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let open = || {
            let file = std::fs::File::open(path)?;
            let meta = file.metadata()?;
            if meta.is_dir() {
                return Err(std::io::Error::from(std::io::ErrorKind::IsADirectory));
            }
            Ok((file, meta.len()))
        };
        match open() {
            Ok((file, len)) => Ok(Self { name, path: path.to_owned(), file, len }),
            Err(source) => Err(Error::Io { file: name, source }),
        }
    }

    /// Where the file lies.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Fills `buf` with the bytes from `offset` on.
    pub(crate) fn read_into(&self, buf: &mut [u8], offset: u64) -> Result<(), Error> {
        self.read_at(buf, offset).map_err(|source| Error::Io { file: self.name.clone(), source })
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
        #[cfg(unix)]
        {
            std::os::unix::fs::FileExt::read_exact_at(&self.file, buf, offset)
        }
        #[cfg(windows)]
        {
            let mut done = 0;
            while done < buf.len() {
                let at = offset + done as u64;
                match std::os::windows::fs::FileExt::seek_read(&self.file, &mut buf[done..], at) {
                    Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                    Ok(n) => done += n,
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
            Ok(())
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[async_trait::async_trait(?Send)]
impl ByteSource for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn as_file(&self) -> Option<&FileSource> {
        Some(self)
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, Error> {
        let mut buf = vec![0; checked_len(&self.name, self.len, &range)?];
        self.read_into(&mut buf, range.start)?;
        Ok(buf)
    }
}
