// What objects may hold, field by field. What is not known is refused by name: an option that is silently ignored costs
// its user an evening.

import { type Check, invalid, isGiven, record } from "./checks.ts";

/** The fields of an object, and what each may hold. */
export type Fields = Readonly<Record<string, Check>>;

/**
 * Refuses fields that are not known and values that are not right. Null and undefined say nothing. `of` is what the
 * caller calls the object, if it is part of another.
 */
export function checkFields(value: unknown, fields: Fields, of?: string): void {
  for (const [key, given] of Object.entries(record(of ?? "the argument", value))) {
    if (!isGiven(given)) continue;
    const name = of === undefined ? key : `${of}.${key}`;
    const check = Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (!check) throw invalid(`the option "${name}" is not known${suggestion(key, Object.keys(fields))}`);
    check(name, given);
  }
}

/** An object with these fields and no others. */
export function objectOf(fields: Fields): Check {
  return (name, value) => checkFields(value, fields, name);
}

/** An object with at least these fields; the others go to the model as they are. */
export function openObject(fields: Fields): Check {
  return (name, value) => {
    const given = record(name, value);
    for (const [key, check] of Object.entries(fields)) {
      if (isGiven(given[key])) check(`${name}.${key}`, given[key]);
    }
  };
}

/** Such an object, in which one field must be given. */
export function required(field: string, check: Check, object: Check): Check {
  return (name, value) => {
    object(name, value);
    check(`${name}.${field}`, record(name, value)[field]);
  };
}

function suggestion(key: string, known: string[]): string {
  const plain = (name: string) => name.toLowerCase().replaceAll("_", "");
  const ranked = known.map((name) => ({ name, n: edits(plain(key), plain(name)) })).sort((a, b) => a.n - b.n);
  const [best] = ranked;
  return best && best.n <= key.length / 3 ? `; did you mean "${best.name}"?` : "";
}

/** How many letters have to be added, taken away or changed (Levenshtein's distance). */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const changed = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(changed, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
