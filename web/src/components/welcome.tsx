import { Logo } from "./icons.tsx";

const EXAMPLES = [
  { title: "Say hello", prompt: "Hello! Who are you?" },
  { title: "Do a sum", prompt: "What is 17 + 25?" },
  { title: "Spell a word", prompt: "Spell the word river." },
  { title: "Recall a fact", prompt: "What is the capital of Japan?" },
];

interface Props {
  ready: boolean;
  onAsk: (prompt: string) => void;
}

export function Welcome({ ready, onAsk }: Props) {
  return (
    <main class="welcome">
      <div class="welcome-inner">
        <Logo />
        <h2>A Qwen model, in this tab</h2>
        <p>
          It computes on your own GPU and works without a server. The demo model is tiny and made to show that
          everything works; drop a GGUF file or a checkpoint folder on this page to talk to a larger one.
        </p>
        <ul class="examples">
          {EXAMPLES.map(({ title, prompt }) => (
            <li key={prompt}>
              <button type="button" onClick={() => onAsk(prompt)} disabled={!ready}>
                <span class="example-title">{title}</span>
                <span>{prompt}</span>
              </button>
            </li>
          ))}
        </ul>
      </div>
    </main>
  );
}
