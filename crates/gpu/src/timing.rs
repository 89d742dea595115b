//! How long a step takes: as a whole on the host's clock, and dispatch by dispatch on the device's.

use std::time::Duration;

use web_time::Instant;

use crate::pass::Grid;
use crate::{Dispatch, Error, Step, Usage};

/// Passes whose begin and end one query set holds.
const PASSES: usize = wgpu::QUERY_SET_MAX_QUERIES as usize / 2;

/// A step on the host's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostTimes {
    /// What the calling thread spent on encoding and submitting it.
    pub cpu: Duration,
    /// From the submit until the device has finished.
    pub step: Duration,
}

/// A step on the device's clock, nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceTimes {
    /// Of each dispatch, in the order in which they run.
    pub dispatches: Vec<f64>,
    /// From the begin of the first to the end of the last.
    pub span: f64,
}

impl Step<'_> {
    /// Runs as any step does, after everything that was submitted before, and waits for the end.
    pub async fn submit_and_wait(mut self) -> Result<HostTimes, Error> {
        let gpu = self.gpu;
        gpu.flush().await?;
        let encoding = Instant::now();
        self.encode();
        let commands = self.encoder.finish();
        let submitting = Instant::now();
        gpu.submit(commands);
        let cpu = encoding.elapsed();
        gpu.idle().await?;
        Ok(HostTimes { cpu, step: submitting.elapsed() })
    }

    /// Runs each dispatch in a pass of its own that notes the device's time when it begins and when it ends. Browsers round
    /// these times, to 100 µs unless they are told not to.
    pub async fn submit_timed(mut self) -> Result<DeviceTimes, Error> {
        let gpu = self.gpu;
        if !gpu.caps().timestamps {
            return Err(Error::NoTimestamps { gpu: gpu.info().name.clone() });
        }
        if self.dispatches.is_empty() {
            return Ok(DeviceTimes { dispatches: Vec::new(), span: 0.0 });
        }
        let bytes = self.dispatches.len() as u64 * 2 * u64::from(wgpu::QUERY_SIZE);
        let resolved = gpu.buffer("timestamps", bytes, Usage::Timestamps).await?;
        let staging = gpu.buffer("timestamps on their way back", bytes, Usage::Readback).await?;
        let dispatches = std::mem::take(&mut self.dispatches);
        let mut offset = 0;
        for passes in dispatches.chunks(PASSES) {
            offset = self.encode_timed(passes, &resolved, offset);
        }
        let stamps = self.read(&resolved, 0, &staging, bytes).wait(gpu).await?;
        let stamps: Vec<u64> = bytemuck::pod_collect_to_vec(&stamps);
        Ok(DeviceTimes::of(&stamps, f64::from(gpu.queue.get_timestamp_period())))
    }

    /// Encodes as many passes as fit a query set; their stamps go to byte `offset` of `resolved`. Returns where they end.
    fn encode_timed(&mut self, passes: &[(&Dispatch, Grid)], resolved: &wgpu::Buffer, offset: u64) -> u64 {
        let n_queries = passes.len() as u32 * 2;
        let queries = self.gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("timestamps"),
            ty: wgpu::QueryType::Timestamp,
            count: n_queries,
        });
        let pipelines = self.gpu.pipelines.borrow();
        for ((dispatch, grid), begin) in passes.iter().zip((0u32..).step_by(2)) {
            let mut pass = self.encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: None,
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &queries,
                    beginning_of_pass_write_index: Some(begin),
                    end_of_pass_write_index: Some(begin + 1),
                }),
            });
            pass.set_pipeline(&pipelines.get(dispatch.pipeline).0);
            dispatch.encode(&mut pass, *grid);
        }
        self.encoder.resolve_query_set(&queries, 0..n_queries, resolved, offset);
        self.gpu.count(|t| t.dispatches += passes.len() as u64);
        offset + u64::from(n_queries * wgpu::QUERY_SIZE)
    }
}

impl DeviceTimes {
    /// From the begin and the end of each pass, of at least one, in ticks of `period` nanoseconds.
    fn of(stamps: &[u64], period: f64) -> Self {
        let between = |begin: u64, end: u64| end.saturating_sub(begin) as f64 * period;
        Self {
            dispatches: stamps.chunks_exact(2).map(|pass| between(pass[0], pass[1])).collect(),
            span: between(stamps[0], stamps[stamps.len() - 1]),
        }
    }
}
