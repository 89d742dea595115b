import { useRef, useState } from "preact/hooks";
import type { ModelInfo } from "qwill";
import { labelOf } from "../drop.ts";
import { bytes, count, seconds } from "../format.ts";
import { DEMO, labelOfAddress, type ModelChoice, type ModelState } from "../model.ts";
import { Dialog } from "./dialog.tsx";
import { FileIcon, FolderIcon, SparkIcon } from "./icons.tsx";
import { StoredModels } from "./stored-models.tsx";

interface Props {
  isOpen: boolean;
  state: ModelState;
  onClose: () => void;
  /** Loads what is here. */
  onOpen: (choice: ModelChoice) => void;
  /** Shows what it takes to download and load something. */
  onConsider: (choice: ModelChoice) => void;
}

export function ModelDialog({ isOpen, state, onClose, onOpen, onConsider }: Props) {
  const file = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const [address, setAddress] = useState("");

  const picked = (event: Event) => {
    const input = event.currentTarget as HTMLInputElement;
    const files = [...(input.files ?? [])];
    input.value = "";
    if (files.length > 0) onOpen({ source: files, label: labelOf(files) });
  };

  return (
    <Dialog title="Model" kind="window" isOpen={isOpen} onClose={onClose}>
      {state.kind === "ready" && <Facts state={state} />}
      <div class="choices">
        <button type="button" class="choice" onClick={() => onOpen(DEMO)}>
          <SparkIcon />
          <span>
            <strong>{DEMO.label}</strong>
            <span>Ships with the page; small and quick to load</span>
          </span>
        </button>
        <button type="button" class="choice" onClick={() => file.current?.click()}>
          <FileIcon />
          <span>
            <strong>GGUF file…</strong>
            <span>One file from your device</span>
          </span>
        </button>
        <button type="button" class="choice" onClick={() => folder.current?.click()}>
          <FolderIcon />
          <span>
            <strong>Checkpoint folder…</strong>
            <span>config.json, tokenizer.json and *.safetensors as published</span>
          </span>
        </button>
      </div>
      <form
        class="url-form"
        onSubmit={(event) => {
          event.preventDefault();
          const wanted = address.trim();
          if (wanted) onConsider({ source: wanted, label: labelOfAddress(wanted) });
        }}
      >
        <label for="model-address">
          Model on the Hugging Face hub or address of its page, or address of a GGUF file
        </label>
        <div class="url-row">
          <input
            id="model-address"
            type="text"
            inputmode="url"
            autocapitalize="off"
            autocomplete="off"
            spellcheck={false}
            value={address}
            placeholder="Qwen/Qwen3-0.6B-GGUF:Q8_0"
            aria-describedby="model-address-hint"
            onInput={(event) => setAddress(event.currentTarget.value)}
          />
          <button type="submit" class="button" disabled={!address.trim()}>
            Look up
          </button>
        </div>
        <p id="model-address-hint" class="muted">
          You see what it takes before it is downloaded, once, to be stored in this browser.
        </p>
      </form>
      <StoredModels isShown={isOpen} onOpen={onOpen} onConsider={onConsider} />
      <p class="muted">
        You can also drop a file or a folder anywhere on the page. Files stay on this device.
      </p>
      <input ref={file} hidden type="file" accept=".gguf" aria-label="GGUF file" onChange={picked} />
      <input
        ref={(element) => {
          folder.current = element;
          // Not among the attributes that Preact's types know.
          element?.setAttribute("webkitdirectory", "");
        }}
        hidden
        type="file"
        multiple
        aria-label="Checkpoint folder"
        onChange={picked}
      />
    </Dialog>
  );
}

/** `131,072 tokens · YaRN …` */
function context({ contextLength, contextExtension }: ModelInfo): string {
  const tokens = `${contextLength.toLocaleString("en")} tokens`;
  return contextExtension === undefined ? tokens : `${tokens} · ${contextExtension}`;
}

function Facts({ state }: { state: Extract<ModelState, { kind: "ready" }> }) {
  const { info } = state.model;
  const facts: [string, string][] = [
    ["Name", info.name],
    ["Architecture", info.architecture],
    ["Parameters", count(info.parameters)],
    ["Weights", bytes(info.weightsBytes)],
    ["Context", context(info)],
    ["GPU", info.gpu],
    ["Loaded in", seconds(state.loadMs)],
  ];
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
