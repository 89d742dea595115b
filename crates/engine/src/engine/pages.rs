//! Pages of the cache on their way to somewhere else: copies for a text of its own, and files.

use qwill_gpu::{Step as Pass, Usage};
use qwill_models::step::{PAGE, Page, PageCopy};

use super::Engine;
use crate::Error;

const _: () = assert!(PAGE == qwill_kernels::PAGE);

impl Engine {
    /// Bytes of the keys, or of the values, of a page in one layer.
    fn page_bytes(&self) -> u64 {
        (PAGE * self.plan().dims.n_kv_heads * self.options.kv.vector_bytes(self.plan().dims.head_dim)) as u64
    }

    /// Copies a page in all layers, by way of a buffer between.
    pub(super) fn copy_page(&self, pass: &mut Pass<'_>, copy: &PageCopy) {
        let bytes = self.page_bytes();
        let caches = || self.caches.iter().flat_map(|(keys, values)| [keys, values]);
        let between = &self.steering.page;
        for (cache, offset) in caches().zip((0..).step_by(bytes as usize)) {
            pass.copy((cache, u64::from(copy.from) * bytes), (between, offset), bytes);
        }
        for (cache, offset) in caches().zip((0..).step_by(bytes as usize)) {
            pass.copy((between, offset), (cache, u64::from(copy.to) * bytes), bytes);
        }
    }

    /// What pages hold: keys of the first layer, its values, keys of the second…, page after page in each.
    pub async fn export_pages(&self, pages: &[Page]) -> Result<Vec<Vec<u8>>, Error> {
        let bytes = self.page_bytes();
        let total = bytes * pages.len() as u64;
        let mut layers = Vec::with_capacity(2 * self.caches.len());
        if pages.is_empty() {
            layers.resize(2 * self.caches.len(), Vec::new());
            return Ok(layers);
        }
        let gathered = self.gpu.buffer("pages on their way to a file", total, Usage::Storage).await?;
        for cache in self.caches.iter().flat_map(|(keys, values)| [keys, values]) {
            let mut pass = self.gpu.step();
            for (&page, offset) in pages.iter().zip((0..).step_by(bytes as usize)) {
                pass.copy((cache, u64::from(page) * bytes), (&gathered, offset), bytes);
            }
            pass.submit();
            layers.push(self.gpu.read(&gathered, 0, total).await?);
        }
        Ok(layers)
    }

    /// Refuses what [`Self::export_pages`] cannot have read of so many tokens.
    pub fn check_pages(&self, n_tokens: usize, layers: &[Vec<u8>]) -> Result<(), Error> {
        let (n_pages, bytes) = (n_tokens.div_ceil(PAGE), self.page_bytes() as usize);
        let has_all = layers.len() == 2 * self.caches.len();
        if has_all
            && n_tokens <= self.options.context_length
            && layers.iter().all(|l| l.len() == bytes * n_pages)
        {
            return Ok(());
        }
        Err(Error::Request(format!(
            "this session cannot be restored: its keys and values are not those of {n_tokens} tokens, {n_pages} pages of \
             {bytes} bytes in each layer, within a context of {}",
            self.options.context_length
        )))
    }

    /// Writes what [`Self::export_pages`] read of as many pages, from the `first` of them on; it was
    /// [checked](Self::check_pages).
    pub fn import_pages(&self, pages: &[Page], first: usize, layers: &[Vec<u8>]) {
        let bytes = self.page_bytes() as usize;
        let caches = self.caches.iter().flat_map(|(keys, values)| [keys, values]);
        for (cache, layer) in caches.zip(layers) {
            for (&page, words) in pages.iter().zip(layer.chunks_exact(bytes)).skip(first) {
                self.gpu.write(cache, u64::from(page) * bytes as u64, words);
            }
        }
    }
}
