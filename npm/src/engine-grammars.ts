// What the wasm module wants of what follows grammars. grammars.ts implements it, see engine.ts.

/** The module that follows grammars, loaded or not. */
export interface EngineGrammarModule {
  /**
   * Prepares a vocabulary: the bytes of its tokens one after the other, how many each has, those that end a text, and what
   * makes tokens of bytes.
   */
  start(
    bytes: Uint8Array,
    lengths: Uint32Array,
    ends: Uint32Array,
    encode: (bytes: Uint8Array) => Uint32Array,
  ): Promise<EngineGrammars>;
}

/** Grammars over a model's tokens. */
export interface EngineGrammars {
  /** The beginning of a text that a grammar describes. Throws if it makes no sense, or asks for what is not supported. */
  compile(grammar: string): EngineMatcher;
  free(): void;
}

/** Where a text is in a grammar. Each method throws where nothing can be said any more. */
export interface EngineMatcher {
  /** The tokens that may follow: a bit each, the lowest first, in so many words. */
  allow(nWords: number): Uint32Array;
  /** Takes a token that follows. */
  take(token: number): void;
  /** Takes the tokens that follow because nothing else may. */
  force(): Uint32Array;
  /** Whether nothing but an end may follow. */
  isOver(): boolean;
  /** Another one for a text that begins alike. */
  fork(): EngineMatcher;
  free(): void;
}
