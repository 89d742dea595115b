// What the `openai` package types goes in, and what comes out is what it types: this file only has to compile.

import type OpenAI from "openai";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  ChatMessage,
  Completion,
  CompletionRequest,
  ConversationRequest,
  Model,
  RequestOptions,
} from "../src/index.ts";

type Messages = OpenAI.ChatCompletionMessageParam;
type Tools = OpenAI.ChatCompletionTool;

export const message = (theirs: Messages): ChatMessage => theirs;
export const replied = (theirs: OpenAI.ChatCompletionMessage): ChatMessage => theirs;
export const tools = (theirs: Tools[]): NonNullable<ConversationRequest["tools"]> => theirs;
export const request = (theirs: OpenAI.ChatCompletionCreateParams): ChatCompletionRequest => theirs;
export const format = (
  theirs: NonNullable<OpenAI.ChatCompletionCreateParams["response_format"]>,
): NonNullable<ConversationRequest["response_format"]> => theirs;
export const choice = (
  theirs: OpenAI.ChatCompletionToolChoiceOption,
): NonNullable<ConversationRequest["tool_choice"]> => theirs;
export const options = (theirs: OpenAI.RequestOptions): RequestOptions => theirs;
/** Ours takes one text. */
export const text = (theirs: OpenAI.CompletionCreateParams & { prompt: string }): CompletionRequest => theirs;

export const reply = (ours: ChatCompletion): OpenAI.ChatCompletion => ours;
export const chunk = (ours: ChatCompletionChunk): OpenAI.ChatCompletionChunk => ours;
export const completion = (ours: Completion): Omit<OpenAI.Completion, "choices"> => ours;

/** A tool loop as it is written for their client. */
export async function loop(
  model: Model,
  run: (name: string, args: unknown) => Promise<string>,
): Promise<void> {
  const messages: Messages[] = [{ role: "user", content: "Do I need an umbrella?" }];
  const tools: Tools[] = [{ type: "function", function: { name: "weather", parameters: {}, strict: false } }];
  for (;;) {
    const body = { model: "any", messages, tools, parallel_tool_calls: true, service_tier: "auto" } as const;
    const { choices } = await model.chat.completions.create(body, { signal: null, timeout: 1000 });
    messages.push(choices[0].message);
    const calls = choices[0].message.tool_calls ?? [];
    if (calls.length === 0) return;
    for (const { id, function: called } of calls) {
      const content = await run(called.name, JSON.parse(called.arguments));
      messages.push({ role: "tool", tool_call_id: id, content });
    }
  }
}

/** The kind of answer follows from the kind of request, as with theirs. */
export async function kinds(
  model: Model,
  theirs: OpenAI.ChatCompletionCreateParamsStreaming,
): Promise<string> {
  const { completions } = model.chat;
  const stream = await completions.create(theirs, { signal: new AbortController().signal });
  stream.controller.abort();
  const whole: OpenAI.ChatCompletion = await completions.create({ ...theirs, stream: false });
  return whole.choices[0]?.message.content ?? "";
}
