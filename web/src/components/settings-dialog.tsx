import { DEFAULTS, type Settings } from "../settings.ts";
import { Dialog } from "./dialog.tsx";
import { NumberField, type NumberRange } from "./number-field.tsx";

interface Props {
  isOpen: boolean;
  settings: Settings;
  onChange: (change: Partial<Settings>) => void;
  onClose: () => void;
}

export function SettingsDialog({ isOpen, settings, onChange, onClose }: Props) {
  const number = (key: NumberKey, label: string, hint: string, range: NumberRange) => (
    <NumberField
      label={label}
      hint={hint}
      range={range}
      value={settings[key]}
      onChange={(value) => onChange({ [key]: value })}
    />
  );
  return (
    <Dialog title="Settings" kind="sheet" isOpen={isOpen} onClose={onClose}>
      <div class="field">
        <label for="system">System prompt</label>
        <textarea
          id="system"
          rows={4}
          value={settings.system}
          placeholder="What the model should know or be"
          onInput={(event) => onChange({ system: event.currentTarget.value })}
        />
      </div>
      <label class="switch">
        <input
          type="checkbox"
          checked={settings.thinking}
          onChange={(event) => onChange({ thinking: event.currentTarget.checked })}
        />
        <span>
          <strong>Think before answering</strong>
          <span class="muted">If the model can</span>
        </span>
      </label>
      <fieldset>
        <legend>Sampling</legend>
        <p class="muted">Empty fields follow the model's own defaults.</p>
        <div class="fields">
          {number("temperature", "Temperature", "0 always takes the likeliest", {
            min: 0,
            max: 2,
            step: 0.1,
          })}
          {number("top_p", "Top-p", "Share of likelihood kept", { min: 0.05, max: 1, step: 0.05 })}
          {number("top_k", "Top-k", "Candidates kept; 0 keeps all", { min: 0, max: 1000, step: 1 })}
          {number("min_p", "Min-p", "Least share of the likeliest", { min: 0, max: 1, step: 0.01 })}
          {number("max_tokens", "Longest reply", "In tokens", { min: 1, max: 1_000_000, step: 1 })}
          {number("seed", "Seed", "The same gives the same reply", { min: 0, max: 2 ** 32 - 1, step: 1 })}
        </div>
      </fieldset>
      <button type="button" class="button" onClick={() => onChange(DEFAULTS)}>
        Reset everything
      </button>
    </Dialog>
  );
}

type NumberKey = "temperature" | "top_p" | "top_k" | "min_p" | "max_tokens" | "seed";
