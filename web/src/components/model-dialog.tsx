import { useRef, useState } from "preact/hooks";
import { labelOf } from "../drop.ts";
import { bytes, count, seconds } from "../format.ts";
import type { Loader, ModelState } from "../model.ts";
import { Dialog } from "./dialog.tsx";
import { FileIcon, FolderIcon, SparkIcon } from "./icons.tsx";

interface Props {
  isOpen: boolean;
  state: ModelState;
  onClose: () => void;
  onOpen: Loader["open"];
}

export function ModelDialog({ isOpen, state, onClose, onOpen }: Props) {
  const file = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const [url, setUrl] = useState("");

  const picked = (event: Event) => {
    const input = event.currentTarget as HTMLInputElement;
    const files = [...(input.files ?? [])];
    input.value = "";
    if (files.length > 0) onOpen(files, labelOf(files));
  };

  return (
    <Dialog title="Model" kind="window" isOpen={isOpen} onClose={onClose}>
      {state.kind === "ready" && <Facts state={state} />}
      <div class="choices">
        <button type="button" class="choice" onClick={() => onOpen("demo", "Demo model")}>
          <SparkIcon />
          <span>
            <strong>Demo model</strong>
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
          if (url.trim()) onOpen(url.trim(), url.trim().split(/[?#]/)[0]?.split("/").at(-1) || url);
        }}
      >
        <label for="model-url">Address of a GGUF file</label>
        <div class="url-row">
          <input
            id="model-url"
            type="url"
            value={url}
            placeholder="https://…/model.gguf"
            onInput={(event) => setUrl(event.currentTarget.value)}
          />
          <button type="submit" class="button" disabled={!url.trim()}>
            Load
          </button>
        </div>
      </form>
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

function Facts({ state }: { state: Extract<ModelState, { kind: "ready" }> }) {
  const { info } = state.model;
  const facts: [string, string][] = [
    ["Name", info.name],
    ["Architecture", info.architecture],
    ["Parameters", count(info.parameters)],
    ["Weights", bytes(info.weightsBytes)],
    ["Context", `${info.contextLength.toLocaleString("en")} tokens`],
    ["GPU", info.adapter],
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
