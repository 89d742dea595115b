// Grammars in a module that may fail. A fault ends the reply that met it; the module is then made anew, and other replies go on
// in the new one from the tokens that they have.

import type { EngineGrammarModule, EngineGrammars, EngineMatcher } from "./engine-grammars.ts";

type Vocabulary = Parameters<EngineGrammarModule["start"]>;

/**
 * What crates/grammar-wasm offers. A text that it throws says what is wrong with a grammar or a token; anything else is a fault,
 * after which nothing in it may be used.
 */
export interface GrammarGlue {
  Grammars: new (...vocabulary: Vocabulary) => EngineGrammars;
  /** Makes the module anew, with an empty memory. */
  __wbg_reset_state: () => void;
}

interface Owned {
  free(): void;
}

/** What lies in the memory of an instance. */
interface Made<T extends Owned> {
  it: T;
  instance: number;
}

/** The instance of the module that there is, and after a fault the next one. */
export class Instances {
  readonly #glue: GrammarGlue;
  #instance = 0;
  #isFaulty = false;
  /** Texts that were not freed. */
  nTexts = 0;

  constructor(glue: GrammarGlue) {
    this.#glue = glue;
  }

  /** Does something in the module, and says in an error what went wrong. */
  attempt<T>(work: () => T): T {
    try {
      if (this.#isFaulty) {
        this.#glue.__wbg_reset_state();
        this.#instance += 1;
        this.#isFaulty = false;
      }
      return work();
    } catch (thrown) {
      if (typeof thrown === "string") throw new Error(thrown);
      this.#isFaulty = true;
      throw new Error(`a fault in what follows grammars: ${(thrown as Error).message}; please report it`);
    }
  }

  /** Makes something in the instance that there is. */
  make<T extends Owned>(work: (glue: GrammarGlue) => T): Made<T> {
    const it = this.attempt(() => work(this.#glue));
    return { it, instance: this.#instance };
  }

  /** What was made, unless it went with its instance. */
  current<T extends Owned>(made: Made<T> | undefined): T | undefined {
    return !this.#isFaulty && made?.instance === this.#instance ? made.it : undefined;
  }

  free(made: Made<Owned> | undefined): void {
    try {
      const it = this.current(made);
      if (it) this.attempt(() => it.free());
    } catch {
      // Whoever uses the module next has another.
    }
  }
}

/** Grammars over a vocabulary, in whatever instance there is. */
export class Grammars implements EngineGrammars {
  readonly #instances: Instances;
  readonly #vocabulary: Vocabulary;
  #made: Made<EngineGrammars>;

  constructor(instances: Instances, vocabulary: Vocabulary) {
    this.#instances = instances;
    this.#vocabulary = vocabulary;
    this.#made = this.#make();
  }

  compile(grammar: string): EngineMatcher {
    return new Text(this.#instances, () => this.begin(grammar), this.begin(grammar));
  }

  /** A text that begins, in the instance that there is. */
  begin(grammar: string): Made<EngineMatcher> {
    if (!this.#instances.current(this.#made)) this.#made = this.#make();
    const { it } = this.#made;
    return this.#instances.make(() => it.compile(grammar));
  }

  free(): void {
    this.#instances.free(this.#made);
  }

  #make(): Made<EngineGrammars> {
    return this.#instances.make((glue) => new glue.Grammars(...this.#vocabulary));
  }
}

/** A text on its way through a grammar. */
class Text implements EngineMatcher {
  readonly #instances: Instances;
  readonly #begin: () => Made<EngineMatcher>;
  readonly #taken: number[];
  #made: Made<EngineMatcher> | undefined;
  #isOver = false;

  constructor(
    instances: Instances,
    begin: () => Made<EngineMatcher>,
    made: Made<EngineMatcher> | undefined,
    taken: number[] = [],
  ) {
    this.#instances = instances;
    this.#begin = begin;
    this.#made = made;
    this.#taken = taken;
    instances.nTexts += 1;
  }

  allow(nWords: number): Uint32Array {
    return this.#do((matcher) => matcher.allow(nWords));
  }

  take(token: number): void {
    this.#do((matcher) => matcher.take(token));
    this.#taken.push(token);
  }

  force(): Uint32Array {
    const forced = this.#do((matcher) => matcher.force());
    this.#taken.push(...forced);
    return forced;
  }

  isOver(): boolean {
    return this.#isOver;
  }

  fork(): EngineMatcher {
    const fork = new Text(this.#instances, this.#begin, undefined, [...this.#taken]);
    try {
      const matcher = this.#instances.current(this.#made);
      if (matcher) fork.#made = this.#instances.make(() => matcher.fork());
    } catch {
      // What could not be copied is made again when it is used.
    }
    fork.#isOver = this.#isOver;
    return fork;
  }

  free(): void {
    this.#instances.free(this.#made);
    this.#made = undefined;
    this.#instances.nTexts -= 1;
  }

  #do<T>(work: (matcher: EngineMatcher) => T): T {
    const matcher = this.#instances.current(this.#made) ?? this.#again();
    return this.#instances.attempt(() => {
      const result = work(matcher);
      this.#isOver = matcher.isOver();
      return result;
    });
  }

  /** The same text in another instance. */
  #again(): EngineMatcher {
    const made = this.#begin();
    for (const token of this.#taken) this.#instances.attempt(() => made.it.take(token));
    this.#made = made;
    return made.it;
  }
}
