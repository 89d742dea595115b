import { useId } from "preact/hooks";

/** What may be entered. */
export interface NumberRange {
  min: number;
  max: number;
  step: number;
}

/** A number, or nothing for the default. */
export function NumberField(props: {
  label: string;
  hint: string;
  range: NumberRange;
  value: number | null;
  onChange: (value: number | null) => void;
}) {
  const { label, hint, range, value, onChange } = props;
  const id = useId();
  const read = (field: HTMLInputElement) => {
    // An invalid entry leaves the last valid one in force; the field shows that it is invalid.
    if (field.value === "") onChange(field.validity.badInput ? value : null);
    else if (!field.validity.rangeOverflow && !field.validity.rangeUnderflow) onChange(field.valueAsNumber);
  };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="number"
        inputMode="decimal"
        {...range}
        value={value ?? ""}
        placeholder="Default"
        aria-describedby={`${id}-hint`}
        onInput={(event) => read(event.currentTarget)}
      />
      <span id={`${id}-hint`} class="muted">
        {hint}
      </span>
    </div>
  );
}
