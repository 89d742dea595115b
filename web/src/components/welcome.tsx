import type { ModelState } from "../model.ts";
import { Logo } from "./icons.tsx";

const EXAMPLES = [
  { title: "Get to know it", prompt: "Who are you?" },
  { title: "See it think", prompt: "What is 47 + 38?" },
  { title: "Spell a word", prompt: 'Spell "garden".' },
  { title: "Hear a story", prompt: "Tell me a story about a cat." },
];

interface Props {
  state: ModelState;
  onAsk: (prompt: string) => void;
}

export function Welcome({ state, onAsk }: Props) {
  return (
    <main class="welcome">
      <div class="welcome-inner">
        <Logo />
        <h2>A Qwen model, in this tab</h2>
        <p>
          It computes on your own GPU; there is no server. The demo model is tiny: choose a larger one from
          the Hugging Face hub, or drop a GGUF file or a checkpoint folder on this page.
        </p>
        {state.kind !== "failed" && (
          <ul class="examples">
            {EXAMPLES.map(({ title, prompt }) => (
              <li key={prompt}>
                <button type="button" onClick={() => onAsk(prompt)} disabled={state.kind !== "ready"}>
                  <span class="example-title">{title}</span>
                  <span>{prompt}</span>
                </button>
              </li>
            ))}
          </ul>
        )}
      </div>
    </main>
  );
}
