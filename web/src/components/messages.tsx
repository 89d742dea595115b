import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Turn } from "../chat.ts";
import { DownIcon } from "./icons.tsx";
import { AssistantMessage, UserMessage } from "./message.tsx";

interface Props {
  turns: Turn[];
  busy: boolean;
}

/** The conversation. Follows the reply as it grows, unless the reader has scrolled up. */
export function Messages({ turns, busy }: Props) {
  const scroller = useRef<HTMLElement>(null);
  const following = useRef(true);
  const [away, setAway] = useState(false);
  const questions = turns.filter((turn) => turn.role === "user").length;

  const toEnd = () => {
    following.current = true;
    scroller.current?.scrollTo({ top: scroller.current.scrollHeight });
  };

  useLayoutEffect(() => {
    if (following.current) toEnd();
  }, [turns]);

  // Asking brings the reader back to the end.
  useEffect(toEnd, [questions]);

  const onScroll = () => {
    const { scrollTop = 0, scrollHeight = 0, clientHeight = 0 } = scroller.current ?? {};
    following.current = scrollHeight - scrollTop - clientHeight < 48;
    setAway(!following.current);
  };

  return (
    <main class="scroller" ref={scroller} onScroll={onScroll}>
      {/* While a reply grows the log is busy, so that a screen reader says it once, when it is whole. */}
      <div class="log" role="log" aria-label="Conversation" aria-live="polite" aria-busy={busy}>
        {turns.map((turn) =>
          turn.role === "user" ? (
            <UserMessage key={turn.id} turn={turn} />
          ) : (
            <AssistantMessage key={turn.id} turn={turn} />
          ),
        )}
      </div>
      {away && (
        <button type="button" class="to-end" onClick={toEnd} title="To the latest message">
          <DownIcon />
          <span class="visually-hidden">To the latest message</span>
        </button>
      )}
    </main>
  );
}
