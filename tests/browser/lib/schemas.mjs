// Ten schemas in the shapes that APIs use. Lists and texts have bounds, so that a small model comes to their end.

const text = (maxLength = 12) => ({ type: "string", maxLength });

/** Every property is required, and there are no others. */
const object = (properties, more = {}) => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
  ...more,
});

const list = (items, minItems, maxItems) => ({ type: "array", items, minItems, maxItems });

/** @type {Record<string, object>} */
export const SCHEMAS = {
  "nested objects": object({
    user: object({ name: text(), address: object({ city: text(), zip: text(6) }) }),
    active: { type: "boolean" },
  }),
  "words of a list": object({
    kind: { enum: ["bug", "feature", "question"] },
    priority: { enum: [1, 2, 3] },
    version: { const: "v2" },
  }),
  "lists with bounds": object({
    tags: list({ enum: ["a", "b", "c"] }, 2, 4),
    points: list(list({ type: "integer", minimum: -9, maximum: 9 }, 2, 2), 1, 3),
  }),
  references: object(
    { left: { $ref: "#/$defs/money" }, right: { $ref: "#/$defs/money" } },
    {
      $defs: {
        money: object({ amount: { $ref: "#/$defs/cents" }, unit: { enum: ["EUR", "USD"] } }),
        cents: { type: "integer", minimum: 0, maximum: 99 },
      },
    },
  ),
  "one of several shapes": object({
    shape: {
      anyOf: [
        object({ type: { const: "circle" }, radius: { type: "integer", minimum: 1, maximum: 50 } }),
        object({ type: { const: "box" }, sides: list({ type: "integer", minimum: 1, maximum: 9 }, 3, 3) }),
      ],
    },
  }),
  formats: object({
    at: { type: "string", format: "date-time" },
    day: { type: "string", format: "date" },
    id: { type: "string", format: "uuid" },
    host: { type: "string", format: "ipv4" },
  }),
  patterns: object({
    colour: { type: "string", pattern: "^#[0-9a-f]{6}$" },
    phone: { type: "string", pattern: "^\\+[1-9][0-9]{6,11}$" },
  }),
  "ranges of numbers": object({
    percent: { type: "integer", minimum: 0, maximum: 100 },
    share: { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1, multipleOf: 0.125 },
    below: { type: "number", minimum: -2.5, maximum: -0.5, multipleOf: 0.5 },
  }),
  "what may be missing or null": {
    type: "object",
    properties: {
      note: { type: ["string", "null"], maxLength: 10 },
      done: { type: "boolean" },
      n: { type: ["integer", "null"], minimum: 0, maximum: 9 },
    },
    required: ["note"],
    additionalProperties: false,
  },
  "a page of a list": object({
    items: list(
      object({
        id: { type: "integer", minimum: 1, maximum: 999 },
        name: text(8),
        roles: list({ enum: ["admin", "user"] }, 0, 2),
      }),
      1,
      2,
    ),
    next: { anyOf: [{ type: "null" }, { type: "string", pattern: "^[a-z0-9]{4}$" }] },
  }),
};
