use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::source::ByteSource;
use crate::tensor::TensorInfo;
use crate::{Error, Metadata, gguf, safetensors, source};

/// The kind of file that a checkpoint was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// GGUF, one file or split.
    Gguf,
    /// Safetensors, one file or sharded with an index.
    Safetensors,
}

/// All tensors of a model, wherever its files lie.
///
/// Opening reads the headers only. Every tensor is known to lie inside its file, and no two
/// share bytes.
pub struct Checkpoint {
    container: Container,
    sources: Vec<Arc<dyn ByteSource>>,
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
    by_name: HashMap<String, usize>,
}

impl Checkpoint {
    /// Opens a GGUF file, or all the files of a split one in any order.
    ///
    /// # Errors
    /// [`Error::Container`] and [`Error::Tensor`] for damaged, unsupported and incomplete files,
    /// [`Error::KeyType`] for `split.*` and `general.alignment` of the wrong type, and whatever the
    /// sources say.
    pub async fn open_gguf(sources: Vec<Arc<dyn ByteSource>>) -> Result<Self, Error> {
        if sources.is_empty() {
            return Err(Error::container("GGUF", "no files given"));
        }
        let mut parts = Vec::with_capacity(sources.len());
        for (i, source) in sources.iter().enumerate() {
            let header = gguf::read_header(source, i).await?;
            parts.push((Split::of(&header.metadata, sources.len())?, header));
        }
        check_splits(&sources, &parts)?;
        parts.sort_by_key(|(split, _)| split.no);

        let mut metadata = Metadata::default();
        let mut tensors = Vec::new();
        for (split, header) in parts {
            // Metadata other than `split.*` is in the first file only.
            if split.no == 0 {
                metadata = header.metadata;
            }
            tensors.extend(header.tensors);
        }
        if let Some(expected) = metadata.get_u64("split.tensors.count")?
            && expected != tensors.len() as u64
            && sources.len() > 1
        {
            return Err(Error::container(
                sources[0].name(),
                format!(
                    "split.tensors.count is {expected}, but the {} files hold {} tensors",
                    sources.len(),
                    tensors.len()
                ),
            ));
        }
        Self::assemble(Container::Gguf, sources, metadata, tensors)
    }

    /// Opens `model.safetensors`, or all shards of a model together with the bytes of its
    /// `model.safetensors.index.json`.
    ///
    /// Shards are matched with the index by file name. Without an index the shards are simply
    /// joined.
    ///
    /// # Errors
    /// [`Error::Container`] and [`Error::Tensor`] for damaged and unsupported files, for a shard
    /// that the index names and that is not given, and for a tensor that is not where the index
    /// says; and whatever the sources say.
    pub async fn open_safetensors(
        shards: Vec<Arc<dyn ByteSource>>,
        index: Option<&[u8]>,
    ) -> Result<Self, Error> {
        if shards.is_empty() {
            return Err(Error::container("safetensors", "no files given"));
        }
        let index = index.map(safetensors::read_index).transpose()?;
        let mut tensors = Vec::new();
        for (i, shard) in shards.iter().enumerate() {
            tensors.extend(safetensors::read_header(shard, i).await?);
        }
        if let Some(index) = index {
            tensors = choose_indexed(&shards, tensors, &index)?;
        }
        Self::assemble(Container::Safetensors, shards, Metadata::default(), tensors)
    }

    /// Checks what can only be checked with all tensors at hand.
    fn assemble(
        container: Container,
        sources: Vec<Arc<dyn ByteSource>>,
        metadata: Metadata,
        tensors: Vec<TensorInfo>,
    ) -> Result<Self, Error> {
        let mut by_name = HashMap::with_capacity(tensors.len());
        for (i, t) in tensors.iter().enumerate() {
            let file = sources[t.source].name();
            let end = t.offset.checked_add(t.byte_len);
            let file_len = sources[t.source].len();
            if end.is_none_or(|end| end > file_len) {
                return Err(Error::tensor(
                    file,
                    &t.name,
                    format!(
                        "the file is cut off or damaged: {} bytes from byte {} on are needed, \
                         but the file ends at {file_len}",
                        t.byte_len, t.offset
                    ),
                ));
            }
            if by_name.insert(t.name.clone(), i).is_some() {
                return Err(Error::tensor(file, &t.name, "occurs twice"));
            }
        }

        let mut by_place: Vec<&TensorInfo> = tensors.iter().filter(|t| t.byte_len > 0).collect();
        by_place.sort_by_key(|t| (t.source, t.offset));
        for pair in by_place.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            if a.source == b.source && a.offset + a.byte_len > b.offset {
                return Err(Error::tensor(
                    sources[b.source].name(),
                    &b.name,
                    format!("its bytes overlap with those of \"{}\"", a.name),
                ));
            }
        }

        Ok(Self { container, sources, metadata, tensors, by_name })
    }

    /// What kind of file this is.
    pub fn container(&self) -> Container {
        self.container
    }

    /// The key/value pairs of a GGUF file (the first, if it is split); empty for safetensors.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The sources, as they were given; [`TensorInfo::source`] counts them.
    pub fn sources(&self) -> &[Arc<dyn ByteSource>] {
        &self.sources
    }

    /// All tensors in the order of the files.
    pub fn tensors(&self) -> impl Iterator<Item = &TensorInfo> {
        self.tensors.iter()
    }

    /// The tensor of that name.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.by_name.get(name).map(|&i| &self.tensors[i])
    }

    /// Reads the stored bytes of `rows` of a tensor of this checkpoint. Rows count over all
    /// dimensions but the last: row `r` of expert `e` in `[experts, out, in]` is `e * out + r`.
    ///
    /// Holds `rows.len() * t.row_bytes()` bytes; callers go through large tensors in pieces.
    ///
    /// # Errors
    /// [`Error::Tensor`] if there are no such rows, and whatever the source says.
    pub async fn read_rows(&self, t: &TensorInfo, rows: Range<usize>) -> Result<Vec<u8>, Error> {
        let (source, place) = self.place(t, rows)?;
        source::read_exactly(source, place).await
    }

    /// Where `rows` of a tensor lie.
    pub(crate) fn place(
        &self,
        t: &TensorInfo,
        rows: Range<usize>,
    ) -> Result<(&dyn ByteSource, Range<u64>), Error> {
        let Some(source) = self.sources.get(t.source) else {
            return Err(Error::tensor("checkpoint", &t.name, format!("there is no source {}", t.source)));
        };
        if rows.start > rows.end || rows.end > t.n_rows() {
            return Err(Error::tensor(
                source.name(),
                &t.name,
                format!("rows {rows:?} asked for, it has {}", t.n_rows()),
            ));
        }
        let row_bytes = t.row_bytes() as u64;
        let place = |row: usize| t.offset.checked_add(row_bytes.checked_mul(row as u64)?);
        let (Some(start), Some(end)) = (place(rows.start), place(rows.end)) else {
            return Err(Error::tensor(source.name(), &t.name, format!("rows {rows:?} lie beyond any file")));
        };
        Ok((&**source, start..end))
    }
}

/// Which part of a split GGUF file this is.
struct Split {
    no: u64,
    count: u64,
}

impl Split {
    /// A file without `split.*` is the only one. `given` is the number of files at hand.
    fn of(metadata: &Metadata, given: usize) -> Result<Self, Error> {
        let no = metadata.get_u64("split.no")?;
        let count = metadata.get_u64("split.count")?;
        Ok(match (no, count) {
            // Files that were split once and merged keep the keys, with a count of 0.
            (_, None | Some(0)) if given == 1 => Self { no: 0, count: 1 },
            (no, count) => Self { no: no.unwrap_or(0), count: count.unwrap_or(1) },
        })
    }
}

fn check_splits(sources: &[Arc<dyn ByteSource>], parts: &[(Split, gguf::Header)]) -> Result<(), Error> {
    let mut seen = vec![false; parts.len()];
    for (source, (split, _)) in sources.iter().zip(parts) {
        let (no, count, given) = (split.no, split.count, parts.len());
        if count != given as u64 {
            let reason = if count <= 1 {
                format!("this file is complete by itself, but {given} files were given")
            } else {
                format!(
                    "this is part {} of {count}; all {count} files are needed, {given} given",
                    no.saturating_add(1)
                )
            };
            return Err(Error::container(source.name(), reason));
        }
        match usize::try_from(no).ok().and_then(|no| seen.get_mut(no)) {
            Some(seen) if !*seen => *seen = true,
            Some(_) => {
                return Err(Error::container(
                    source.name(),
                    format!("part {} of {count} was given twice", no + 1),
                ));
            }
            None => {
                return Err(Error::container(
                    source.name(),
                    format!("split.no is {no}, but split.count is {count}"),
                ));
            }
        }
    }
    Ok(())
}

/// Keeps the tensors that lie where the index says, and checks that none of its tensors is missing.
fn choose_indexed(
    shards: &[Arc<dyn ByteSource>],
    tensors: Vec<TensorInfo>,
    index: &HashMap<String, String>,
) -> Result<Vec<TensorInfo>, Error> {
    let file_name = |path: &str| -> String { path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned() };
    let by_file: HashMap<String, usize> =
        shards.iter().enumerate().map(|(i, shard)| (file_name(shard.name()), i)).collect();
    let mut missing: Vec<(&str, &str)> = index
        .iter()
        .filter(|(_, file)| !by_file.contains_key(&file_name(file)))
        .map(|(tensor, file)| (file.as_str(), tensor.as_str()))
        .collect();
    missing.sort_unstable();
    if let Some((file, tensor)) = missing.first() {
        return Err(Error::container(
            file,
            format!("the index says that it holds \"{tensor}\", but the file was not given"),
        ));
    }

    let mut found = std::collections::HashSet::new();
    let mut kept = Vec::with_capacity(tensors.len());
    for t in tensors {
        match index.get(&t.name) {
            // Left over from another export: the index says where to look.
            Some(file) if by_file.get(&file_name(file)) != Some(&t.source) => {}
            Some(_) => {
                found.insert(t.name.clone());
                kept.push(t);
            }
            None => kept.push(t),
        }
    }
    let mut lost: Vec<(&String, &String)> = index.iter().filter(|(name, _)| !found.contains(*name)).collect();
    lost.sort_unstable();
    match lost.first() {
        Some((tensor, file)) => {
            Err(Error::tensor(file, tensor, "the index says that it is in this file, but it is not"))
        }
        None => Ok(kept),
    }
}
