// A compute pass in plain JavaScript: shows that a browser has a WebGPU adapter inside a module worker.
const shader = (subgroups) => `${subgroups ? "enable subgroups;" : ""}
@group(0) @binding(0) var<storage, read_write> data: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  ${subgroups ? "let s = subgroupAdd(data[id.x]); data[id.x] = s - s + data[id.x] * 3u;" : "data[id.x] = data[id.x] * 3u;"}
}`;

async function run() {
  const adapter = await navigator.gpu.requestAdapter();
  const features = [...adapter.features].sort();
  const subgroups = features.includes("subgroups");
  const device = await adapter.requestDevice({ requiredFeatures: subgroups ? ["subgroups"] : [] });
  const module = device.createShaderModule({ code: shader(subgroups) });
  const messages = (await module.getCompilationInfo()).messages.map((message) => message.message);
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
  const size = 256 * 4;
  const buffer = device.createBuffer({ size, usage: 0x80 | 0x4 | 0x8 });
  const read = device.createBuffer({ size, usage: 0x1 | 0x8 });
  device.queue.writeBuffer(
    buffer,
    0,
    Uint32Array.from({ length: 256 }, (_, i) => i),
  );
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer } }],
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(4);
  pass.end();
  encoder.copyBufferToBuffer(buffer, 0, read, 0, size);
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(1);
  const result = new Uint32Array(read.getMappedRange());
  const { vendor, architecture, description } = adapter.info;
  return {
    info: { vendor, architecture, description },
    features,
    maxBinding: adapter.limits.maxStorageBufferBindingSize,
    messages,
    right: result.every((value, i) => value === i * 3),
  };
}

run().then(
  (value) => postMessage({ value }),
  (error) => postMessage({ error: String(error?.stack ?? error) }),
);
