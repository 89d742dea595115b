import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";
import { SendIcon, StopIcon } from "./icons.tsx";

interface Props {
  inputRef: RefObject<HTMLTextAreaElement | null>;
  ready: boolean;
  busy: boolean;
  onSend: (text: string) => void;
  onStop: () => void;
}

/** Where one writes: Enter sends, Shift+Enter breaks the line, Escape stops the reply. */
export function Composer({ inputRef, ready, busy, onSend, onStop }: Props) {
  const [text, setText] = useState("");
  const canSend = ready && !busy && text.trim() !== "";

  // The field grows with its text.
  useLayoutEffect(() => {
    const field = inputRef.current;
    if (!field) return;
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
  }, [text, inputRef]);

  const send = () => {
    if (!canSend) return;
    setText("");
    onSend(text.trim());
    inputRef.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // Enter that ends the composition of a Chinese character is not meant for us.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <label class="visually-hidden" for="prompt">
        Message
      </label>
      <textarea
        id="prompt"
        ref={inputRef}
        rows={1}
        value={text}
        placeholder="Write a message"
        aria-keyshortcuts="Enter"
        enterkeyhint="send"
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      {busy ? (
        <button
          type="button"
          class="round-button"
          onClick={onStop}
          title="Stop (Esc)"
          aria-keyshortcuts="Escape"
        >
          <StopIcon />
          <span class="visually-hidden">Stop</span>
        </button>
      ) : (
        <button type="submit" class="round-button" disabled={!canSend} title="Send (Enter)">
          <SendIcon />
          <span class="visually-hidden">Send</span>
        </button>
      )}
    </form>
  );
}
