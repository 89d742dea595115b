//! `limits`: what the device can do at most, which is what speeds are compared with.

use pollster::block_on;
use qwill_gpu::{Error, Gpu, GpuOptions, Grid, Usage, wgpu};
use serde_json::{Map, Value, json};
use wgpu::{CooperativeMatrixProperties, CooperativeScalarType, Features};

use crate::caught::caught;
use crate::failure::Stop;
use crate::job::{Job, Size};
use crate::measure::{
    Meter, Order, Scalar, dot_bytes, launch_nothing, multiply_add, multiply_matrices, read_stream,
};

/// Invocations in a workgroup of the kernels, but for that of cooperative matrices.
const WORKGROUP: u32 = 256;
/// Invocations in a workgroup of that one.
const MATRIX_WORKGROUP: u32 = 128;
/// Workgroups that keep any device busy.
const WORKGROUPS: u32 = 1024;

type Measured = Result<Value, Failed>;

/// Why a number is not there.
enum Failed {
    Gpu(Error),
    Without(&'static str),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Gpu(error)
    }
}

/// Measures all of them; one that cannot be measured has a reason in its place.
pub(crate) fn run(job: &mut Job) -> Result<String, Stop> {
    let meter = Meter::open(Features::empty(), job.size)?;
    let size = job.size;
    let all: [(&str, &dyn Fn() -> Measured); 8] = [
        ("read_gbps", &|| read(&meter, size)),
        ("copy_gbps", &|| copy(&meter, size)),
        ("launch_us", &|| launch(&meter)),
        ("round_trip_us", &|| round_trip(&meter)),
        ("f32_tflops", &|| multiply(&meter, Scalar::F32)),
        ("f16_tflops", &|| multiply(&meter, Scalar::F16)),
        ("dot4_tops", &|| dot(&meter)),
        ("matrix_tflops", &|| matrices(size)),
    ];
    let mut result = Map::new();
    for (name, measure) in all {
        if job.is_late() {
            return Err(Stop::OutOfTime(format!("{} of {} measured", result.len(), all.len())));
        }
        let value = match caught(measure) {
            Ok(Ok(value)) => value,
            Ok(Err(Failed::Gpu(error))) => json!({ "error": error.to_string() }),
            Ok(Err(Failed::Without(what))) => json!({ "error": what }),
            Err(panic) => json!({ "error": panic }),
        };
        result.insert(name.to_owned(), value);
        job.save(&result)?;
    }
    match read_bandwidth(&Value::Object(result.clone())) {
        Some(_) => Ok(finding(&result)),
        None => Err(Stop::Failed(format!("no read bandwidth: {}", result["read_gbps"]))),
    }
}

/// The most that was read a second, in 10^9 bytes, in the result of this part.
pub(crate) fn read_bandwidth(result: &Value) -> Option<f64> {
    result["read_gbps"].as_object()?.values().filter_map(Value::as_f64).reduce(f64::max)
}

fn finding(result: &Map<String, Value>) -> String {
    let all = result.iter().map(|(name, value)| match value {
        Value::Object(several) if several.contains_key("error") => format!("{name} none"),
        Value::Object(several) => {
            let several = several.iter().map(|(key, value)| format!("{key} {}", rounded(value)));
            format!("{name} {}", several.collect::<Vec<_>>().join(" "))
        }
        value => format!("{name} {}", rounded(value)),
    });
    all.collect::<Vec<_>>().join(", ")
}

/// Three digits are enough for a person.
fn rounded(value: &Value) -> String {
    match value.as_f64() {
        Some(number) if number >= 100.0 => format!("{number:.0}"),
        Some(number) => format!("{number:.2}"),
        None => value.to_string(),
    }
}

/// Bytes of the buffers that are read and copied: far more than caches hold, and a power of two.
fn large(meter: &Meter, size: Size) -> u64 {
    let caps = meter.gpu.caps();
    let wanted: u64 = match size {
        Size::Full if caps.is_software => 256 << 20,
        Size::Full => 1 << 30,
        Size::Quick => 16 << 20,
    };
    let most = wanted.min(caps.max_binding).min(caps.max_buffer);
    1 << most.ilog2()
}

/// Reading only, by bytes a load; the best of several numbers of workgroups.
fn read(meter: &Meter, size: Size) -> Measured {
    let bytes = large(meter, size);
    let x = meter.zeros(bytes)?;
    let mut found = Map::new();
    for load in [16, 8, 4] {
        let mut best = f64::INFINITY;
        for workgroups in [WORKGROUPS, 4 * WORKGROUPS, 16 * WORKGROUPS] {
            let n_invocations = u64::from(workgroups * WORKGROUP);
            if bytes / load >= 4 * n_invocations {
                let y = meter.zeros(n_invocations * 4)?;
                let kernel = meter.kernel(&read_stream(load), &[&x, &y])?;
                best = best.min(meter.seconds_of(&kernel, workgroups)?);
            }
        }
        found.insert(load.to_string(), json!(bytes as f64 / best / 1e9));
    }
    Ok(Value::Object(found))
}

/// Copying, bytes read plus bytes written.
fn copy(meter: &Meter, size: Size) -> Measured {
    let bytes = large(meter, size);
    let (x, y) = (meter.zeros(bytes)?, meter.zeros(bytes)?);
    let seconds = meter.seconds(|rounds| meter.gpu.copy(&x, &y, bytes, rounds))?;
    Ok(json!(2.0 * bytes as f64 / seconds / 1e9))
}

/// Microseconds of an empty dispatch in a pass, where it waits for the one before and where it does not.
fn launch(meter: &Meter) -> Measured {
    let y = meter.zeros(4)?;
    let waiting = meter.seconds_of(&meter.kernel(&launch_nothing(Order::Waiting), &[&y])?, 1)?;
    let free = meter.seconds_of(&meter.kernel(&launch_nothing(Order::Free), &[])?, 1)?;
    Ok(json!({ "waiting": waiting * 1e6, "free": free * 1e6 }))
}

/// Microseconds from a submit until it is known to be done, and until four bytes of it are here.
fn round_trip(meter: &Meter) -> Measured {
    let y = meter.zeros(4)?;
    let kernel = meter.kernel(&launch_nothing(Order::Waiting), &[&y])?;
    let step = || {
        let mut step = meter.gpu.step();
        step.run(&kernel, Grid([1, 1, 1]));
        step
    };
    let submit = meter.median_seconds(|| {
        step().submit();
        block_on(meter.gpu.flush())
    })?;
    let staging = block_on(meter.gpu.buffer("readback", 4, Usage::Readback))?;
    let readback = meter.median_seconds(|| {
        block_on(step().submit_and_read(&y, 0, &staging, 4).wait(&meter.gpu)).map(|_| ())
    })?;
    Ok(json!({ "submit": submit * 1e6, "readback": readback * 1e6 }))
}

/// Loops that make a dispatch of [`WORKGROUPS`] take long enough to hide its launch.
fn loops(meter: &Meter) -> u32 {
    if meter.gpu.caps().is_software { 32 } else { 2048 }
}

/// Tera-operations a second of a kernel whose invocations each do so many.
fn rate(meter: &Meter, dispatch: &qwill_gpu::Dispatch, operations: f64) -> Measured {
    let seconds = meter.seconds_of(dispatch, WORKGROUPS)?;
    Ok(json!(f64::from(WORKGROUPS * WORKGROUP) * operations / seconds / 1e12))
}

fn multiply(meter: &Meter, scalar: Scalar) -> Measured {
    if scalar == Scalar::F16 && !meter.gpu.caps().f16 {
        return Err(Failed::Without("the device has no f16"));
    }
    let loops = loops(meter);
    let x = meter.buffer(bytemuck::cast_slice(&[[0.5f32, 0.75, 0.25, 0.625], [0.5, 0.25, 1.0, 0.125]]))?;
    let y = meter.zeros(u64::from(WORKGROUPS * WORKGROUP) * 4)?;
    let kernel = meter.kernel(&multiply_add(scalar, loops), &[&x, &y])?;
    rate(meter, &kernel, 256.0 * f64::from(loops))
}

fn dot(meter: &Meter) -> Measured {
    let loops = loops(meter);
    let x = meter.buffer(bytemuck::bytes_of(&0x0102_fe03_u32))?;
    let y = meter.zeros(u64::from(WORKGROUPS * WORKGROUP) * 4)?;
    let kernel = meter.kernel(&dot_bytes(loops), &[&x, &y])?;
    rate(meter, &kernel, 512.0 * f64::from(loops))
}

/// Tera-operations a second of every kind of cooperative matrix that wgpu's shaders can name, on a device of its own: it
/// is an experimental feature.
fn matrices(size: Size) -> Measured {
    let adapter = block_on(Gpu::adapter(&GpuOptions::default()))?;
    if !adapter.features().contains(Features::EXPERIMENTAL_COOPERATIVE_MATRIX) {
        return Err(Failed::Without("the adapter has no cooperative matrices"));
    }
    let meter = Meter::open(Features::EXPERIMENTAL_COOPERATIVE_MATRIX, size)?;
    let mut found = Map::new();
    for matrix in adapter.cooperative_matrix_properties() {
        let CooperativeMatrixProperties { m_size, n_size, k_size, .. } = matrix;
        let name = format!("{m_size}x{n_size}x{k_size} {:?} {:?}", matrix.ab_type, matrix.cr_type);
        if let (Some(ab), Some(cr)) = (float(matrix.ab_type), float(matrix.cr_type))
            && m_size == n_size
            && m_size == k_size
            && !found.contains_key(&name)
        {
            let measured = matrix_rate(&meter, m_size, ab, cr);
            found.insert(name, measured.unwrap_or_else(|error| json!(error.to_string())));
        }
    }
    match found.is_empty() {
        true => Err(Failed::Without("the adapter has no square cooperative matrices of floats")),
        false => Ok(Value::Object(found)),
    }
}

fn float(scalar: CooperativeScalarType) -> Option<Scalar> {
    match scalar {
        CooperativeScalarType::F32 => Some(Scalar::F32),
        CooperativeScalarType::F16 => Some(Scalar::F16),
        _ => None,
    }
}

fn matrix_rate(meter: &Meter, size: u32, ab: Scalar, cr: Scalar) -> Result<Value, Error> {
    let loops = loops(meter);
    let tile = u64::from(size * size);
    let narrowest = meter.gpu.info().subgroup_min_size.max(4);
    let n_subgroups = u64::from(WORKGROUPS * MATRIX_WORKGROUP.div_ceil(narrowest));
    // 2^-6 in either type
    let word = if ab == Scalar::F16 { 0x2400_2400_u32 } else { 0x3c80_0000 };
    let x = meter.buffer(bytemuck::cast_slice(&vec![word; (5 * tile * ab.bytes() / 4) as usize]))?;
    let y = meter.zeros(n_subgroups * tile * cr.bytes())?;
    let width = meter.zeros(4)?;
    let kernel = meter.kernel(&multiply_matrices(size, ab, cr, loops), &[&x, &y, &width])?;
    let seconds = meter.seconds_of(&kernel, WORKGROUPS)?;
    let width = block_on(meter.gpu.read(&width, 0, 4))?;
    let width: u32 = bytemuck::pod_read_unaligned(&width);
    let subgroups = f64::from(WORKGROUPS * MATRIX_WORKGROUP.div_ceil(width.max(1)));
    let operations = subgroups * 8.0 * f64::from(size).powi(3) * f64::from(loops);
    Ok(json!(operations / seconds / 1e12))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_the_loads_is_the_bandwidth() {
        let result = json!({ "read_gbps": { "4": 1.0, "16": 3.5, "8": 2.0 }, "copy_gbps": 9.0 });
        assert_eq!(read_bandwidth(&result), Some(3.5));
        assert_eq!(read_bandwidth(&json!({ "read_gbps": { "error": "none" } })), None);
        assert_eq!(read_bandwidth(&Value::Null), None);
    }
}
