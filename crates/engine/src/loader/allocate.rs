//! Room for matrices on the device.

use std::rc::Rc;

use qwill_gpu::{Gpu, Usage};
use qwill_kernels::{DeviceMatrix, Shard};

use super::MatrixShape;
use crate::Error;

/// Makes room for a matrix, in shards where a binding does not hold it.
pub(crate) async fn allocate(gpu: &Gpu, name: &str, shape: MatrixShape) -> Result<Rc<DeviceMatrix>, Error> {
    let MatrixShape { layout, order, n_rows, k, .. } = shape;
    let caps = gpu.caps();
    let per_shard = shape.rows_of_shard(caps.max_binding.min(caps.max_buffer));
    if per_shard == 0 {
        return Err(Error::Kernel(format!(
            "{} rows of \"{name}\" must lie in one binding, but take {} bytes, and a binding of this device holds {}",
            shape.unit,
            shape.unit_bytes(),
            caps.max_binding
        )));
    }
    let mut shards = Vec::new();
    for first_row in (0..n_rows).step_by(per_shard) {
        let n_rows = per_shard.min(n_rows - first_row);
        let mut streams = Vec::new();
        for stream in 0..layout.n_streams() {
            let bytes = shape.row_bytes(stream) * n_rows as u64;
            streams.push(gpu.buffer(name, bytes, Usage::Storage).await?);
        }
        shards.push(Shard { first_row, n_rows, streams });
    }
    Ok(Rc::new(DeviceMatrix { layout, order, n_rows, k, shards }))
}
