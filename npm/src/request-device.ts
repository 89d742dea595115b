// wgpu 30 cannot ask a browser for subgroups (gfx-rs/wgpu#10146) and does not show the page its device. So while
// a model loads, GPUAdapter.requestDevice is wrapped: it adds the feature where the adapter has it, and hands out
// the device. Delete the first half when wgpu can.

export interface Subgroups {
  min: number;
  max: number;
}

/** Subgroup widths of an adapter, unless it has none or `caps` masks them. */
export function offeredSubgroups(adapter: GPUAdapter, caps: string | undefined): Subgroups | undefined {
  const masked = caps?.split(",").some((word) => word.trim() === "no-subgroups");
  if (masked || !adapter.features.has("subgroups")) return undefined;
  const { subgroupMinSize, subgroupMaxSize } = adapter.info;
  return { min: subgroupMinSize, max: subgroupMaxSize };
}

let previous: Promise<unknown> = Promise.resolve();

/** Runs `load` with requestDevice wrapped; `onDevice` sees each device that is opened meanwhile. */
export function withRequestDevice<T>(
  options: { subgroups: boolean; onDevice: (device: GPUDevice) => void },
  load: () => Promise<T>,
): Promise<T> {
  const run = async () => {
    const prototype = GPUAdapter.prototype;
    const original = prototype.requestDevice;
    prototype.requestDevice = async function (this: GPUAdapter, descriptor?: GPUDeviceDescriptor) {
      const features = new Set(descriptor?.requiredFeatures);
      if (options.subgroups && this.features.has("subgroups")) features.add("subgroups");
      const device = await original.call(this, { ...descriptor, requiredFeatures: [...features] });
      options.onDevice(device);
      return device;
    };
    try {
      return await load();
    } finally {
      prototype.requestDevice = original;
    }
  };
  // One wrapper at a time: two models may load in one page.
  const result = previous.then(run, run);
  previous = result.catch(() => {});
  return result;
}
