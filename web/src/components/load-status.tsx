import type { LoadProgress } from "qwill";
import { bytes, duration } from "../format.ts";
import type { Loader, ModelChoice } from "../model.ts";

interface Props {
  loader: Loader;
  onChoose: () => void;
  /** Shows what would fit. */
  onConsider: (choice: ModelChoice) => void;
}

/** The load's progress, or in plain words why there is no model. Nothing once it is there. */
export function LoadStatus({ loader, onChoose, onConsider }: Props) {
  const { state } = loader;
  return (
    <div class="load-status" role="status">
      {state.kind === "loading" && (
        <div class="card">
          <div class="card-line">
            <span>
              {stage(state.progress?.stage)} <strong>{state.choice.label}</strong>
            </span>
            {state.progress !== undefined && state.progress.total > 0 && (
              <span class="muted" aria-hidden="true">
                {amount(state.progress)}
              </span>
            )}
            <button type="button" class="text-button" onClick={loader.cancel}>
              Cancel
            </button>
          </div>
          <progress
            aria-label="Loading the model"
            max={1}
            {...(state.progress && state.progress.total > 0
              ? { value: state.progress.loaded / state.progress.total }
              : {})}
          />
        </div>
      )}
      {state.kind === "failed" && (
        <div class={`card ${state.error.code === "aborted" ? "" : "card-error"}`}>
          <p>
            <strong>{heading(state.error.code, state.choice.label)}</strong>
          </p>
          {state.error.code !== "aborted" && <p>{state.error.message}</p>}
          <div class="card-actions">
            {state.error.code === "out-of-memory" ? (
              <button type="button" class="button" onClick={() => onConsider(state.choice)}>
                See what would fit
              </button>
            ) : (
              <button type="button" class="button" onClick={loader.retry}>
                Load again
              </button>
            )}
            {state.error.code !== "webgpu-unavailable" && (
              <button type="button" class="text-button" onClick={onChoose}>
                Choose another model
              </button>
            )}
          </div>
        </div>
      )}
    </div>
  );
}

/** `1.2 GB of 4.7 GB · 25 MB/s · 2 min left` */
function amount({ loaded, total, bytesPerSecond, secondsLeft }: LoadProgress): string {
  const parts = [`${bytes(loaded)} of ${bytes(total)}`];
  if (bytesPerSecond) parts.push(`${bytes(bytesPerSecond)}/s`);
  if (secondsLeft) parts.push(`${duration(secondsLeft)} left`);
  return parts.join(" · ");
}

function stage(name: string | undefined): string {
  if (name === undefined) return "Starting";
  return name === "download" ? "Downloading" : "Loading";
}

function heading(code: string, label: string): string {
  if (code === "webgpu-unavailable" || code === "no-gpu") return "This browser cannot use your GPU";
  if (code === "device-lost") return "The GPU was lost";
  if (code === "out-of-memory") return `${label} does not fit your GPU`;
  if (code === "quota-exceeded") return `There is no room to store ${label}`;
  if (code === "aborted") return "Loading was cancelled";
  return `${label} could not be loaded`;
}
