use std::collections::VecDeque;

use futures_channel::oneshot;

use crate::{Error, Gpu};

/// Bytes of a staging buffer.
const STAGING: u64 = 8 << 20;
/// Staging buffers in turn: while the device copies from some, the next is filled.
const TURNS: usize = 4;

/// Writes buffers through 32 MiB of staging memory that is used again and again. The queue's own writes would take fresh
/// memory each, and the system's zeroing of that costs more than the copies.
pub struct Uploads<'g> {
    gpu: &'g Gpu,
    filling: Option<Filling>,
    copying: VecDeque<Copying>,
}

/// A mapped staging buffer and the copies out of it.
struct Filling {
    buffer: wgpu::Buffer,
    used: u64,
    copies: wgpu::CommandEncoder,
}

/// A staging buffer that is mapped again when the device has copied it.
struct Copying {
    buffer: wgpu::Buffer,
    submission: wgpu::SubmissionIndex,
    mapped: oneshot::Receiver<Result<(), wgpu::BufferAsyncError>>,
}

impl<'g> Uploads<'g> {
    /// Nothing is on its way.
    pub fn new(gpu: &'g Gpu) -> Self {
        Self { gpu, filling: None, copying: VecDeque::new() }
    }

    /// Writes `parts` one after the other from byte `offset` on, all multiples of 4 long; the buffer holds them after [`finish`](Self::finish).
    ///
    /// # Errors
    /// [`Error::Lost`] and [`Error::Device`] for what the device reported so far.
    pub async fn write(
        &mut self,
        buffer: &wgpu::Buffer,
        mut offset: u64,
        parts: &[&[u8]],
    ) -> Result<(), Error> {
        let mut left: u64 = parts.iter().map(|part| part.len() as u64).sum();
        let mut parts = parts.iter().copied();
        let mut part: &[u8] = &[];
        while left > 0 {
            let mut filling = match self.filling.take() {
                Some(filling) => filling,
                None => self.staging().await?,
            };
            let n = left.min(STAGING - filling.used);
            let place = filling.buffer.slice(filling.used..filling.used + n);
            let mut view = place.get_mapped_range_mut().map_err(|e| self.failed(e.to_string()))?;
            let mut at = 0;
            while at < view.len() {
                if part.is_empty() {
                    part = parts.next().expect("the parts are as long as they were");
                }
                let (now, later) = part.split_at(part.len().min(view.len() - at));
                view.slice(at..at + now.len()).copy_from_slice(now);
                (part, at) = (later, at + now.len());
            }
            drop(view);
            filling.copies.copy_buffer_to_buffer(&filling.buffer, filling.used, buffer, offset, n);
            filling.used = (filling.used + n).next_multiple_of(wgpu::MAP_ALIGNMENT);
            if filling.used < STAGING {
                self.filling = Some(filling);
            } else {
                self.submit(filling);
            }
            (left, offset) = (left - n, offset + n);
        }
        Ok(())
    }

    /// Waits until everything is on the device.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn finish(&mut self) -> Result<(), Error> {
        if let Some(filling) = self.filling.take() {
            self.submit(filling);
        }
        self.gpu.flush().await
    }

    /// A staging buffer that nothing is in.
    async fn staging(&mut self) -> Result<Filling, Error> {
        let device = &self.gpu.device;
        let buffer = if self.copying.len() < TURNS {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("staging"),
                size: STAGING,
                usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: true,
            })
        } else {
            let oldest = self.copying.pop_front().expect("there are several turns");
            self.gpu.poll_wait(Some(oldest.submission))?;
            let mapped = oldest.mapped.await.map_err(|_| self.failed("a buffer map was dropped".into()))?;
            mapped.map_err(|e| self.failed(e.to_string()))?;
            self.gpu.check()?;
            oldest.buffer
        };
        let copies = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("upload") });
        Ok(Filling { buffer, used: 0, copies })
    }

    /// Has the device copy what a staging buffer holds.
    fn submit(&mut self, filling: Filling) {
        let Filling { buffer, copies, .. } = filling;
        buffer.unmap();
        let submission = self.gpu.queue.submit([copies.finish()]);
        self.gpu.count(|t| t.submits += 1);
        let (sender, mapped) = oneshot::channel();
        buffer.map_async(wgpu::MapMode::Write, .., move |result| {
            let _ = sender.send(result);
        });
        self.copying.push_back(Copying { buffer, submission, mapped });
    }

    fn failed(&self, reason: String) -> Error {
        self.gpu.health.failure(reason)
    }
}
