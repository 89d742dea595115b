// A module that follows grammars, and fails now and then.

import { beforeEach, describe, expect, test } from "vitest";
import { Grammars, Instances } from "../src/grammars.ts";

/** Follows texts letter by letter, in the memory of the instance that there is. */
class FakeModule {
  resets = 0;
  /** What was not freed. */
  memory = new Set<object>();
  /** The letter at which the module breaks. */
  brokenAt = "";

  glue = () => {
    const module = this;
    const check = (it: object) => {
      if (!module.memory.has(it)) throw new Error("of another instance, or freed");
    };
    class Letters {
      readonly text: string;
      place: number;
      constructor(text: string, place: number) {
        [this.text, this.place] = [text, place];
        module.memory.add(this);
      }
      get #next() {
        return this.text.charCodeAt(this.place);
      }
      allow(nWords: number) {
        check(this);
        if (this.text[this.place] === module.brokenAt) throw new WebAssembly.RuntimeError("unreachable");
        const bits = new Uint32Array(nWords);
        bits[this.#next >> 5] = 2 ** (this.#next & 31);
        return bits;
      }
      take(token: number) {
        check(this);
        if (token !== this.#next) throw `${token} does not follow`;
        this.place += 1;
      }
      force() {
        check(this);
        return new Uint32Array();
      }
      isOver() {
        check(this);
        return this.place === this.text.length;
      }
      fork() {
        check(this);
        return new Letters(this.text, this.place);
      }
      free() {
        check(this);
        module.memory.delete(this);
      }
    }
    return {
      Grammars: class {
        constructor() {
          module.memory.add(this);
        }
        compile(text: string) {
          check(this);
          if (text === "") throw "there is no grammar";
          return new Letters(text, 0);
        }
        free() {
          check(this);
          module.memory.delete(this);
        }
      },
      __wbg_reset_state() {
        module.memory.clear();
        module.resets += 1;
      },
    };
  };
}

let module: FakeModule;
let instances: Instances;
let grammars: Grammars;
beforeEach(() => {
  module = new FakeModule();
  instances = new Instances(module.glue());
  const none = new Uint32Array();
  grammars = new Grammars(instances, [new Uint8Array(), none, none, () => none]);
});

const allowed = (bits: Uint32Array) => {
  const word = bits.findIndex((word) => word !== 0);
  return String.fromCharCode(32 * word + Math.log2(bits[word] ?? 0));
};
const code = (letter: string) => letter.charCodeAt(0);

describe("what follows grammars", () => {
  test("a text, its fork, and what does not follow", () => {
    const text = grammars.compile("abc");
    expect(allowed(text.allow(4))).toBe("a");
    text.take(code("a"));
    const fork = text.fork();
    text.take(code("b"));
    expect([allowed(text.allow(4)), allowed(fork.allow(4))]).toEqual(["c", "b"]);
    expect(() => text.take(code("x"))).toThrow("120 does not follow");
    text.take(code("c"));
    expect([text.isOver(), fork.isOver()]).toEqual([true, false]);
    expect(module.resets).toBe(0);
    expect(() => grammars.compile("")).toThrow("there is no grammar");
    for (const used of [text, fork]) used.free();
    grammars.free();
    expect([module.memory.size, instances.nTexts]).toEqual([0, 0]);
  });

  test("a fault ends the text that met it, and the others go on in a new instance", () => {
    const [good, bad] = [grammars.compile("good"), grammars.compile("bad")];
    good.take(code("g"));
    module.brokenAt = "b";
    expect(() => bad.allow(4)).toThrow(/fault in what follows grammars: unreachable/);
    // what was written goes on, and so does a copy of it that is made meanwhile
    const fork = good.fork();
    bad.free();
    expect([allowed(good.allow(4)), allowed(fork.allow(4))]).toEqual(["o", "o"]);
    expect(module.resets).toBe(1);
    good.take(code("o"));
    expect(allowed(grammars.compile("next").allow(4))).toBe("n");
    expect(module.resets).toBe(1);
    expect(() => grammars.compile("b").allow(4)).toThrow(/fault/);
    expect(allowed(good.allow(4))).toBe("o");
    expect(module.resets).toBe(2);
  });

  test("what is freed after a fault is gone already", () => {
    const [text, bad] = [grammars.compile("text"), grammars.compile("bad")];
    module.brokenAt = "b";
    expect(() => bad.allow(4)).toThrow(/fault/);
    for (const used of [text, bad]) used.free();
    grammars.free();
    expect([instances.nTexts, module.resets]).toEqual([0, 0]);
  });
});
