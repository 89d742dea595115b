import { useId, useRef, useState } from "preact/hooks";
import type { MemoryPlan, ModelPlan } from "qwill";
import { bytes } from "../format.ts";
import type { ModelChoice } from "../model.ts";
import { CACHES, type PlanState, type Setup, suggestions, usePlan, verdict, withSetup } from "../plan.ts";
import { Dialog } from "./dialog.tsx";
import { NumberField } from "./number-field.tsx";

interface Props {
  /** The model in question; none closes the dialog. */
  choice: ModelChoice | undefined;
  onClose: () => void;
  onOpen: (choice: ModelChoice) => void;
}

/** What a model takes, whether that fits, and what would: shown before anything large is downloaded. */
export function PlanDialog({ choice, onClose, onOpen }: Props) {
  return (
    <Dialog title={choice?.label ?? ""} kind="window" isOpen={choice !== undefined} onClose={onClose}>
      {choice && <Plan choice={choice} onClose={onClose} onOpen={onOpen} />}
    </Dialog>
  );
}

function Plan({ choice, onClose, onOpen }: Props & { choice: ModelChoice }) {
  const { contextLength = null, kvType = "f16" } = choice.options ?? {};
  const [setup, setSetup] = useState<Setup>({ contextLength, kvType });
  const [state, askAgain] = usePlan(choice, setup);
  const go = useRef<HTMLButtonElement>(null);
  const cache = useId();

  const change = (part: Partial<Setup>) => setSetup((old) => ({ ...old, ...part }));
  const load = () => onOpen(withSetup(choice, setup));
  const action = actionOf(state);
  const isNetwork = state.kind === "failed" && state.error.code === "network";
  const offers = state.kind === "known" ? suggestions(state.plan.memory) : [];

  return (
    <div class="plan">
      <div class="fields">
        <NumberField
          label="Context"
          hint={contextHint(state.plan)}
          range={{ min: 1, max: state.plan?.modelContextLength ?? Number.MAX_SAFE_INTEGER, step: 1 }}
          value={setup.contextLength}
          onChange={(contextLength) => change({ contextLength })}
        />
        <div class="field">
          <label for={cache}>Cache</label>
          <select
            id={cache}
            value={setup.kvType}
            aria-describedby={`${cache}-hint`}
            onChange={(event) => change({ kvType: event.currentTarget.value as Setup["kvType"] })}
          >
            {Object.entries(CACHES).map(([kvType, name]) => (
              <option key={kvType} value={kvType}>
                {name}
              </option>
            ))}
          </select>
          <span id={`${cache}-hint`} class="muted">
            8 bits take about half
          </span>
        </div>
      </div>
      <dl class="facts" aria-busy={state.kind === "checking"}>
        {FACTS.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{state.plan ? value(state.plan) : "–"}</dd>
          </div>
        ))}
      </dl>
      <div class="verdict">
        <p role="status">{words(state)}</p>
        <div class="card-actions">
          {offers.map(({ label, change: part }) => (
            <button
              key={label}
              type="button"
              class="button"
              onClick={() => {
                change(part);
                // The suggestion goes away with its reason.
                go.current?.focus();
              }}
            >
              {label}
            </button>
          ))}
          {isNetwork && (
            <button type="button" class="button" onClick={load}>
              Load without a plan
            </button>
          )}
        </div>
      </div>
      <div class="plan-actions">
        {/* Not `disabled`: it keeps the focus while it waits for the numbers. */}
        <button
          ref={(element) => {
            go.current = element;
            // Where a dialog that opens puts the focus.
            element?.setAttribute("autofocus", "");
          }}
          type="button"
          class="button button-main"
          aria-disabled={action.kind === "none"}
          onClick={() => {
            if (action.kind === "load") load();
            if (action.kind === "ask-again") askAgain();
          }}
        >
          {action.label}
        </button>
        <button type="button" class="text-button" onClick={onClose}>
          Cancel
        </button>
      </div>
    </div>
  );
}

const scratch = (memory: MemoryPlan) => memory.totalBytes - memory.weightsBytes - memory.cacheBytes;

/** Names of the numbers, and where they are in a plan. */
const FACTS: [string, (plan: ModelPlan) => string][] = [
  ["Download", ({ downloadBytes }) => (downloadBytes > 0 ? bytes(downloadBytes) : "Nothing, it is here")],
  ["Weights", ({ memory }) => bytes(memory.weightsBytes)],
  [
    "Cache",
    ({ memory }) => `${bytes(memory.cacheBytes)} for ${memory.contextLength.toLocaleString("en")} tokens`,
  ],
  ["Scratch", ({ memory }) => bytes(scratch(memory))],
  ["GPU memory in all", ({ memory }) => bytes(memory.totalBytes)],
  ["GPU", ({ gpu }) => gpu],
];

function contextHint(plan: ModelPlan | undefined): string {
  return plan ? `Tokens, up to ${plan.modelContextLength.toLocaleString("en")}` : "Tokens";
}

/** What the plan says, or why there is none. */
function words(state: PlanState): string {
  if (state.kind === "checking") return "Looking at the headers of its files…";
  if (state.kind === "known") return verdict(state.plan);
  const { code, message } = state.error;
  return code === "network" ? `What it takes is not known yet. ${message}` : message;
}

type Action = { kind: "load" | "ask-again" | "none"; label: string };

/** What the main button says and does. */
function actionOf(state: PlanState): Action {
  if (state.kind === "checking") return { kind: "none", label: "Checking…" };
  if (state.kind === "failed") {
    const isNetwork = state.error.code === "network";
    return isNetwork
      ? { kind: "ask-again", label: "Try again" }
      : { kind: "none", label: "Cannot be loaded" };
  }
  const { downloadBytes, memory } = state.plan;
  const verb = downloadBytes > 0 ? `Download ${bytes(downloadBytes)}` : "Load";
  if (memory.fit === "fits") return { kind: "load", label: verb };
  if (memory.fit === "unsure") return { kind: "load", label: `${verb} and try` };
  return { kind: "none", label: memory.fit === "does-not-fit" ? "Does not fit" : "Does not fit like this" };
}
