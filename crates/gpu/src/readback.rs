//! Reading results late: a mapped copy that is awaited steps after it was submitted.

use futures_channel::oneshot;

use crate::{Buffer, Error, Gpu, Usage};

/// A copy on its way to the CPU.
pub struct Readback {
    buffer: Buffer,
    bytes: u64,
    #[cfg_attr(target_arch = "wasm32", allow(dead_code, reason = "browsers deliver maps by themselves"))]
    submission: wgpu::SubmissionIndex,
    mapped: oneshot::Receiver<Result<(), wgpu::BufferAsyncError>>,
}

impl Readback {
    pub(crate) fn map(buffer: &Buffer, bytes: u64, submission: wgpu::SubmissionIndex) -> Self {
        let (sender, mapped) = oneshot::channel();
        buffer.map_async(wgpu::MapMode::Read, 0..bytes, move |result| {
            let _ = sender.send(result);
        });
        Self { buffer: buffer.clone(), bytes, submission, mapped }
    }

    /// Waits until the step has finished and returns its bytes; the staging buffer is free again afterwards.
    pub async fn wait(self, gpu: &Gpu) -> Result<Vec<u8>, Error> {
        #[cfg(not(target_arch = "wasm32"))]
        gpu.poll_wait(Some(self.submission))?;
        let mapped = match self.mapped.await {
            Ok(mapped) => mapped.map_err(|e| e.to_string()),
            Err(_) => Err("a buffer map was dropped".into()),
        };
        if let Err(reason) = mapped {
            return Err(gpu.failure(reason).await);
        }
        let range = self.buffer.slice(0..self.bytes).get_mapped_range().map(|range| range.to_vec());
        let bytes = match range {
            Ok(bytes) => bytes,
            // a loss takes the mapping away, too
            Err(error) => return Err(gpu.failure(error.to_string()).await),
        };
        self.buffer.unmap();
        gpu.check()?;
        Ok(bytes)
    }
}

impl Gpu {
    /// Reads `bytes` bytes of a storage buffer from byte `offset`, after everything submitted so far.
    pub async fn read(&self, buffer: &wgpu::Buffer, offset: u64, bytes: u64) -> Result<Vec<u8>, Error> {
        if bytes == 0 {
            return Ok(Vec::new());
        }
        let staging = self.buffer("readback", bytes, Usage::Readback).await?;
        self.step().submit_and_read(buffer, offset, &staging, bytes).wait(self).await
    }
}
