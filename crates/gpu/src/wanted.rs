//! What a device must have that models run on.

/// What to ask of an adapter for a device on which models run, and a program draws: every limit that the adapter has, and of
/// its features those that kernels use. Features of the program's own may be added.
///
/// ```no_run
/// # async fn example(adapter: &qwill_gpu::wgpu::Adapter) -> Result<(), Box<dyn std::error::Error>> {
/// let (device, queue) = adapter.request_device(&qwill_gpu::wanted(adapter)).await?;
/// # Ok(()) }
/// ```
pub fn wanted(adapter: &wgpu::Adapter) -> wgpu::DeviceDescriptor<'static> {
    let used = wgpu::Features::SHADER_F16 | wgpu::Features::SUBGROUP | wgpu::Features::TIMESTAMP_QUERY;
    wgpu::DeviceDescriptor {
        label: Some("qwill"),
        required_features: adapter.features() & used,
        required_limits: adapter.limits(),
        memory_hints: wgpu::MemoryHints::Performance,
        ..Default::default()
    }
}
