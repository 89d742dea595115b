// The conversation: what was said, and the reply that is coming in.

import { useCallback, useRef, useState } from "preact/hooks";
import {
  type ChatCompletionChunk,
  type ChatMessage,
  type ChatStream,
  type ChatToolCall,
  type Model,
  QwillError,
} from "qwill";
import type { Settings } from "./settings.ts";

export interface UserTurn {
  id: number;
  role: "user";
  content: string;
}

export interface AssistantTurn {
  id: number;
  role: "assistant";
  content: string;
  reasoning: string;
  toolCalls: ChatToolCall[];
  state: "waiting" | "thinking" | "writing" | "done" | "stopped" | "failed";
  /** How much of a long prompt was read, from 0 to 1. */
  read?: number;
  /** Milliseconds spent thinking. */
  thoughtMs: number;
  stats?: { tokens: number; tokensPerSecond: number; firstTokenMs: number };
  error?: string;
}

export type Turn = UserTurn | AssistantTurn;

export interface Chat {
  turns: Turn[];
  busy: boolean;
  send: (text: string) => void;
  stop: () => void;
  clear: () => void;
}

export function useChat(model: Model | undefined, settings: Settings): Chat {
  const [turns, setTurns] = useState<Turn[]>([]);
  const [busy, setBusy] = useState(false);
  const running = useRef<{ stopped: boolean; stream?: ChatStream }>(undefined);
  const lastId = useRef(0);

  const stop = useCallback(() => {
    if (!running.current) return;
    running.current.stopped = true;
    running.current.stream?.stop();
  }, []);

  const clear = useCallback(() => {
    stop();
    running.current = undefined;
    setBusy(false);
    setTurns([]);
  }, [stop]);

  const send = async (text: string) => {
    if (!model || running.current) return;
    const question: UserTurn = { id: ++lastId.current, role: "user", content: text };
    let answer: AssistantTurn = {
      id: ++lastId.current,
      role: "assistant",
      content: "",
      reasoning: "",
      toolCalls: [],
      state: "waiting",
      thoughtMs: 0,
    };
    const history = [...turns, question];
    const mine: { stopped: boolean; stream?: ChatStream } = { stopped: false };
    running.current = mine;
    setBusy(true);
    setTurns([...history, answer]);

    // A frame shows whatever has come since the last one.
    let frame = 0;
    const show = () => {
      frame = 0;
      if (running.current === mine) setTurns([...history, answer]);
    };
    const update = (change: Partial<AssistantTurn>) => {
      answer = { ...answer, ...change };
      frame ||= requestAnimationFrame(show);
    };

    const begun = performance.now();
    try {
      const stream = await model.chat.completions.create({
        ...sampling(settings),
        messages: messages(settings, history),
        stream: true,
        onProgress: ({ read, total }) => update({ read: read / total }),
      });
      mine.stream = stream;
      if (mine.stopped) stream.stop();
      for await (const chunk of stream) {
        const delta = chunk.choices[0]?.delta;
        if (delta?.reasoning_content) {
          update({
            state: "thinking",
            reasoning: answer.reasoning + delta.reasoning_content,
            thoughtMs: performance.now() - begun,
          });
        }
        if (delta?.content) update({ state: "writing", content: answer.content + delta.content });
        for (const part of delta?.tool_calls ?? []) {
          update({ state: "writing", toolCalls: withPart(answer.toolCalls, part) });
        }
        if (chunk.usage && chunk.timings) {
          update({
            stats: {
              tokens: chunk.usage.completion_tokens,
              tokensPerSecond: chunk.timings.decode_tps,
              firstTokenMs: chunk.timings.prefill_ms,
            },
          });
        }
      }
      update({ state: mine.stopped ? "stopped" : "done" });
    } catch (error) {
      update({ state: "failed", error: error instanceof QwillError ? error.message : String(error) });
    }
    cancelAnimationFrame(frame);
    show();
    if (running.current === mine) {
      running.current = undefined;
      setBusy(false);
    }
  };

  return { turns, busy, send: (text) => void send(text), stop, clear };
}

function messages(settings: Settings, turns: Turn[]): ChatMessage[] {
  const system = settings.system.trim();
  const said = turns.filter((turn) => turn.role === "user" || turn.content !== "");
  return [
    ...(system ? [{ role: "system" as const, content: system }] : []),
    ...said.map(({ role, content }) => ({ role, content })),
  ];
}

function sampling({ thinking, temperature, top_p, top_k, min_p, max_tokens, seed }: Settings) {
  return { enable_thinking: thinking, temperature, top_p, top_k, min_p, max_tokens, seed };
}

type CallPart = NonNullable<ChatCompletionChunk["choices"][number]["delta"]["tool_calls"]>[number];

/** The calls so far with one more part of one. */
function withPart(calls: ChatToolCall[], part: CallPart): ChatToolCall[] {
  const { name = "", arguments: more = "" } = part.function;
  const before = calls[part.index]?.function ?? { name: "", arguments: "" };
  const id = part.id ?? calls[part.index]?.id ?? "";
  const whole = { name: before.name + name, arguments: before.arguments + more };
  return calls.toSpliced(part.index, 1, { id, type: "function", function: whole });
}
