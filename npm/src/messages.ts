// Messages and tools, in types that OpenAI's own fit into. What of it is not served is refused by name.

/** A function that the model may call. */
export interface ChatTool {
  type: "function";
  function: {
    name: string;
    description?: string;
    /** JSON Schema of the arguments. */
    parameters?: Record<string, unknown>;
    /** True is not served yet. */
    strict?: boolean | null;
  };
}

/** A tool that takes text. Not served yet. */
export interface ChatCustomTool {
  type: "custom";
  custom: { name: string; description?: string; format?: unknown };
}

/** A call that the model made. `arguments` is JSON text, as the model wrote it. */
export interface ChatToolCall {
  id: string;
  type: "function";
  function: { name: string; arguments: string };
}

/** A call of a tool that takes text. Not served yet. */
export interface ChatCustomToolCall {
  id: string;
  type: "custom";
  custom: { name: string; input: string };
}

/** A part of a message's content that is text. */
export interface ChatTextPart {
  type: "text";
  text: string;
}

/** A part of a message's content that is none. Not served yet. */
export type ChatOtherPart =
  | { type: "image_url"; image_url: unknown }
  | { type: "input_audio"; input_audio: unknown }
  | { type: "file"; file: unknown }
  | { type: "refusal"; refusal: string };

/** What a message says. */
export type ChatContent = string | (ChatTextPart | ChatOtherPart)[];

/** A message of the conversation. */
export type ChatMessage =
  | { role: "system" | "developer" | "user"; content: ChatContent; name?: string }
  | {
      role: "assistant";
      content?: ChatContent | null;
      /** What the model thought; the checkpoint's template decides what of it stays in the prompt. */
      reasoning_content?: string | null;
      tool_calls?: (ChatToolCall | ChatCustomToolCall)[];
      name?: string;
      refusal?: string | null;
      /** Not served. */
      audio?: unknown;
      /** Not served: `tool_calls` took its place. */
      function_call?: unknown;
    }
  | { role: "tool"; content: ChatContent; tool_call_id?: string }
  /** Not served: `tool` took its place. */
  | { role: "function"; content: string | null; name: string };
