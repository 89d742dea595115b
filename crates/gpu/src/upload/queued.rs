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

    /// Writes `data` at byte `offset`, both multiples of 4; the buffer holds it after [`finish`](Self::finish).
    ///
    /// # Errors
    /// [`Error::Lost`] and [`Error::Device`] for what the device reported so far.
    pub async fn write(&mut self, buffer: &wgpu::Buffer, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.gpu.write(buffer, offset, data);
        self.in_flight += data.len() as u64;
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
