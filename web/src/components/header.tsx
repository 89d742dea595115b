import type { ModelState } from "../model.ts";
import { ChevronIcon, Logo, NewChatIcon, SettingsIcon } from "./icons.tsx";

interface Props {
  state: ModelState;
  canClear: boolean;
  onModel: () => void;
  onNewChat: () => void;
  onSettings: () => void;
}

export function Header({ state, canClear, onModel, onNewChat, onSettings }: Props) {
  return (
    <header class="bar">
      <div class="brand">
        <Logo />
        <h1>qwill</h1>
      </div>
      <button type="button" class="model-button" onClick={onModel} aria-haspopup="dialog">
        <span class={`lamp lamp-${state.kind}`} aria-hidden="true" />
        <span class="model-names">
          <span class="model-name">
            <span class="visually-hidden">Model: </span>
            {state.choice.label}
          </span>
          <span class="model-gpu">{detail(state)}</span>
        </span>
        <ChevronIcon />
      </button>
      <div class="bar-actions">
        <button type="button" class="icon-button" onClick={onNewChat} disabled={!canClear} title="New chat">
          <NewChatIcon />
          <span class="wide-only">New chat</span>
          <span class="visually-hidden narrow-only">New chat</span>
        </button>
        <button
          type="button"
          class="icon-button"
          onClick={onSettings}
          aria-haspopup="dialog"
          title="Settings"
        >
          <SettingsIcon />
          <span class="visually-hidden">Settings</span>
        </button>
      </div>
    </header>
  );
}

function detail(state: ModelState): string {
  if (state.kind === "ready") return state.model.info.gpu;
  return state.kind === "loading" ? "Loading…" : "Not loaded";
}
