import { memo } from "preact/compat";
import { useMemo, useState } from "preact/hooks";
import type { AssistantTurn, UserTurn } from "../chat.ts";
import { rate, seconds } from "../format.ts";
import { toSafeHtml } from "../markdown.ts";
import { CheckIcon, CopyIcon } from "./icons.tsx";

export const UserMessage = memo(({ turn }: { turn: UserTurn }) => (
  <article class="message message-user">
    <h2 class="visually-hidden">You</h2>
    <p class="bubble">{turn.content}</p>
  </article>
));

export const AssistantMessage = memo(({ turn }: { turn: AssistantTurn }) => {
  const running = ["waiting", "thinking", "writing"].includes(turn.state);
  return (
    <article class={`message message-assistant ${running ? "is-running" : ""}`}>
      <h2 class="visually-hidden">Model</h2>
      {turn.state === "waiting" && (
        <p class="waiting">
          <span class={turn.read === undefined ? "visually-hidden" : "reading"}>
            Reading the prompt…{turn.read !== undefined && ` ${Math.round(turn.read * 100)} %`}
          </span>
          <span class="dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
        </p>
      )}
      {turn.reasoning.trim() !== "" && <Thinking turn={turn} />}
      {turn.content !== "" && <Markdown text={turn.content} />}
      {turn.toolCalls.map((call) => (
        <pre key={call.id} class="tool-call">
          <code>
            {call.function.name}({call.function.arguments})
          </code>
        </pre>
      ))}
      {turn.error !== undefined && (
        <p class="message-error" role="alert">
          {turn.error}
        </p>
      )}
      {!running && <Footer turn={turn} />}
    </article>
  );
});

function Thinking({ turn }: { turn: AssistantTurn }) {
  const running = turn.state === "thinking";
  return (
    <details class={`thinking ${running ? "is-running" : ""}`}>
      <summary>{running ? "Thinking…" : `Thought for ${seconds(turn.thoughtMs)}`}</summary>
      <p class="thoughts">{turn.reasoning.trim()}</p>
    </details>
  );
}

function Markdown({ text }: { text: string }) {
  const html = useMemo(() => toSafeHtml(text), [text]);
  return <div class="prose" dangerouslySetInnerHTML={{ __html: html }} />;
}

function Footer({ turn }: { turn: AssistantTurn }) {
  const { stats } = turn;
  return (
    <div class="message-footer">
      {turn.content !== "" && <CopyButton text={turn.content} />}
      {turn.state === "stopped" && <span>Stopped</span>}
      {stats && (
        <span class="stats">
          <span>{rate(stats.tokensPerSecond)} tokens/s</span>
          <span>{stats.tokens} tokens</span>
          <span>first after {seconds(stats.firstTokenMs)}</span>
        </span>
      )}
    </div>
  );
}

function CopyButton({ text }: { text: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  const label = copied ? "Copied" : "Copy";
  return (
    <button type="button" class="small-button" onClick={() => void copy()} title={label}>
      {copied ? <CheckIcon /> : <CopyIcon />}
      <span class="visually-hidden">{label}</span>
    </button>
  );
}
