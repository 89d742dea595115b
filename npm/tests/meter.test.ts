import { expect, test } from "vitest";
import { Meter } from "../src/meter.ts";

test("speed of the last seconds, and the time that the rest takes", () => {
  const meter = new Meter();
  expect(meter.measure(500, 1000, 0)).toEqual({ bytesPerSecond: 0, secondsLeft: undefined });
  expect(meter.measure(600, 1000, 1000)).toEqual({ bytesPerSecond: 100, secondsLeft: 4 });
  // what lies long back counts no longer
  for (let second = 2; second <= 10; second++) meter.measure(600, 1000, second * 1000);
  expect(meter.measure(800, 1000, 11_000).bytesPerSecond).toBe(40);
  expect(meter.measure(1000, 1000, 12_000).secondsLeft).toBe(0);
  expect(new Meter().measure(5, 0, 0).secondsLeft).toBeUndefined();
});
