// The module worker that holds a model.

import { host } from "./host.ts";
import type { Port } from "./rpc.ts";
import { startWasm } from "./wasm.ts";

host(globalThis as unknown as Port, startWasm);
postMessage({ ready: true });
