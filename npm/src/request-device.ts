// wgpu 30 cannot ask a browser for subgroups (gfx-rs/wgpu#10146) and does not show the page its device. So while a
// model lives, GPUAdapter.requestDevice is wrapped: it knows the model's devices by their label, adds the feature where
// the adapter has it, and hands the device out. Delete the feature's half when wgpu can.

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

/** What is done with a model's devices. */
export interface DeviceWatch {
  /** Whether subgroups are switched on. */
  subgroups: boolean;
  /** Hears that a device was lost, and why. */
  onLost: (reason: string) => void;
}

/** By the label of their devices, and with those that were opened. */
const watches = new Map<string, DeviceWatch & { devices: GPUDevice[] }>();
let lastLabel = 0;
let unwrapped: GPUAdapter["requestDevice"] | undefined;

/**
 * Watches the devices that are opened with the label that it returns, until `end` is called. That frees what they hold:
 * browsers wait with it for the garbage collector, which knows nothing of the GPU's memory.
 */
export function watchDevices(watch: DeviceWatch): { label: string; end: () => void } {
  const label = `qwill ${++lastLabel}`;
  const devices: GPUDevice[] = [];
  watches.set(label, { ...watch, devices });
  if (!unwrapped) {
    unwrapped = GPUAdapter.prototype.requestDevice;
    GPUAdapter.prototype.requestDevice = wrap(unwrapped);
  }
  const end = () => {
    watches.delete(label);
    for (const device of devices.splice(0)) device.destroy();
    if (watches.size > 0 || !unwrapped) return;
    GPUAdapter.prototype.requestDevice = unwrapped;
    unwrapped = undefined;
  };
  return { label, end };
}

function wrap(original: GPUAdapter["requestDevice"]): GPUAdapter["requestDevice"] {
  return async function (this: GPUAdapter, descriptor?: GPUDeviceDescriptor) {
    const label = descriptor?.label ?? "";
    const watch = watches.get(label);
    if (!watch) return original.call(this, descriptor);
    const features = new Set(descriptor?.requiredFeatures);
    if (watch.subgroups && this.features.has("subgroups")) features.add("subgroups");
    const device = await original.call(this, { ...descriptor, requiredFeatures: [...features] });
    watch.devices.push(device);
    void device.lost.then(({ reason, message }) => {
      // A model that was disposed of has no use for its device.
      if (watches.has(label)) watch.onLost(message || reason || "no reason was given");
    });
    return device;
  };
}
