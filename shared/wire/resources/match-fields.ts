/**
 * Matches of headers and query parameters, as several kinds of routes have them.
 *
 * @module
 */
import { z } from "zod";
import { parsePattern } from "../pattern.ts";
import { headerName, headerValue, unique } from "./fields.ts";
import { checkPresence, PRESENCE, VALUE_TYPES, valueExtras } from "./route-extensions.ts";

/** Gateway API's ways, and ours. */
const type = z.enum(["Exact", "RegularExpression", ...VALUE_TYPES]).default("Exact");

interface ValueLike {
  readonly type: z.output<typeof type>;
  readonly value?: string | undefined;
}

function checkPattern({ type: kind, value }: ValueLike, context: z.core.$RefinementCtx): void {
  if (kind !== "RegularExpression" || value === undefined) return;
  const result = parsePattern(value);
  if (!result.ok) context.addIssue({ code: "custom", path: ["value"], message: result.message });
}

const headerMatch = z
  .strictObject({ type, name: headerName, value: headerValue.optional(), ...valueExtras })
  .refine(checkPresence, PRESENCE)
  .superRefine(checkPattern);

/** Headers that must all match. Of one name at most one match, and one that is inverted. */
export const headerMatches = z
  .array(headerMatch)
  .max(16)
  .default([])
  .superRefine(unique(({ name, invert }) => `${name.toLowerCase()} ${invert === true}`, ["name"]));

const queryMatch = z
  .strictObject({
    type,
    name: z.string().min(1).max(256),
    value: z.string().min(1).max(1024).optional(),
    ...valueExtras,
  })
  .refine(checkPresence, PRESENCE)
  .superRefine(checkPattern);

/** Query parameters that must all match, under the same rule. */
export const queryMatches = z
  .array(queryMatch)
  .max(16)
  .default([])
  .superRefine(unique(({ name, invert }) => `${name} ${invert === true}`, ["name"]));
