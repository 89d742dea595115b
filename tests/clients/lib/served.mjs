// The server that clients are tried against: crates/server/examples/scripted_server.rs.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** The key that the server asks for. */
export const KEY = "secret";

/** Starts the server; `end` ends it. */
export async function serve() {
  // As the tests have built it, or built now.
  const built = process.env.QWILL_SCRIPTED;
  const run = ["run", "--quiet", "--package", "qwill-server", "--example", "scripted_server"];
  const child = spawn(built ?? "cargo", built ? [] : run, { cwd: ROOT, stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const [base] = await Promise.race([
    once(createInterface({ input: child.stdout }), "line"),
    exited.then(([code]) => Promise.reject(new Error(`the server ended with ${code}`))),
  ]);
  return {
    base,
    async end() {
      child.stdin.end();
      await exited;
    },
  };
}

/** A tool's parameters. */
export const CITY = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };

/** A form for replies. */
export const SKY = {
  type: "object",
  properties: { sky: { type: "string", enum: ["blue", "grey"] } },
  required: ["sky"],
  additionalProperties: false,
};
