import { expect, test } from "vitest";
import { browserName, gpuName } from "../src/webgpu.ts";

test("browsers are called by their names", () => {
  const webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
  expect(browserName(`Mozilla/5.0 (X11) ${webkit} Chrome/150.0.0.0 Safari/537.36 Edg/150.0.0.0`)).toBe(
    "Edge 150",
  );
  expect(browserName(`Mozilla/5.0 (X11) ${webkit} Chrome/150.0.0.0 Safari/537.36`)).toBe("Chrome 150");
  expect(browserName("Mozilla/5.0 (X11; rv:153.0) Gecko/20100101 Firefox/153.0")).toBe("Firefox 153");
  expect(browserName("Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 Version/26.0 Safari/605.1.15")).toBe(
    "Safari 26",
  );
  expect(browserName("curl/8")).toBe("This browser");
});

test("GPUs are called what the browser calls them", () => {
  const name = (info: object) => gpuName({ info } as GPUAdapter);
  expect(name({ description: "Apple M4", vendor: "apple", architecture: "metal-3" })).toBe("Apple M4");
  expect(name({ description: "", vendor: "google", architecture: "swiftshader" })).toBe("google swiftshader");
  expect(name({ description: "", vendor: "", architecture: "" })).toBe("WebGPU adapter");
});
