use crate::{Error, Gpu};

/// Bytes handed to the device before it is waited for.
const IN_FLIGHT: u64 = 64 << 20;

/// Writes buffers, with at most 64 MiB on their way. A browser's mapped buffers are copies in another process, so the
/// queue's own writes are the shortest way there.
pub struct Uploads<'g> {
    gpu: &'g Gpu,
    in_flight: u64,
}

impl<'g> Uploads<'g> {
    /// Nothing is on its way.
    pub fn new(gpu: &'g Gpu) -> Self {
        Self { gpu, in_flight: 0 }
    }

    /// Writes `parts` one after the other from byte `offset` on, all multiples of 4 long; the buffer holds them after
    /// [`finish`](Self::finish).
    ///
    /// # Errors
    /// [`Error::Lost`] and [`Error::Device`] for what the device reported so far.
    pub async fn write(&mut self, buffer: &wgpu::Buffer, offset: u64, parts: &[&[u8]]) -> Result<(), Error> {
        // One call for all of them: each is a message to another process.
        match parts {
            [data] => self.gpu.write(buffer, offset, data),
            parts => self.gpu.write(buffer, offset, &parts.concat()),
        }
        self.in_flight += parts.iter().map(|part| part.len() as u64).sum::<u64>();
        if self.in_flight >= IN_FLIGHT {
            self.in_flight = 0;
            self.gpu.flush().await?;
        }
        Ok(())
    }

    /// Waits until everything is on the device.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn finish(&mut self) -> Result<(), Error> {
        self.gpu.flush().await
    }
}
