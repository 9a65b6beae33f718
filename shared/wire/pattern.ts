/**
 * Regular expressions in configuration: RE2's syntax, matched in time linear
 * in the text, so that no expression can be used against the mesh.
 *
 * @module
 */
import { RE2JS } from "re2js";
import type { CompilePattern, Pattern } from "../engine/value-match.ts";

/** A pattern, or why there is none, in words that follow the field's name. */
export type PatternResult =
  | { readonly ok: true; readonly test: Pattern }
  | { readonly ok: false; readonly message: string };

/** Characters of an expression. Ours: longer ones are better several matches. */
const MAX_SOURCE = 256;

/**
 * Instructions of a compiled expression: each can cost a step for each
 * character. Envoy's default for RE2 is 100; ours leaves room for a counted
 * repetition such as `[0-9a-f]{64}`.
 */
const MAX_PROGRAM = 500;

/** Reads an expression that must match a whole text (Envoy, Gateway API). */
export function parsePattern(source: string): PatternResult {
  if (source === "") return refuse("must not be empty");
  if (source.length > MAX_SOURCE) return refuse(`is too long: at most ${MAX_SOURCE} characters`);
  try {
    const compiled = RE2JS.compile(source);
    const size = compiled.programSize();
    if (size > MAX_PROGRAM) {
      return refuse(`is too large: it compiles to ${size} steps, at most ${MAX_PROGRAM}; repeat less`);
    }
    return { ok: true, test: (text) => compiled.testExact(text) };
  } catch (error) {
    // What RE2 cannot do in linear time (look-around, back references) is an error of its parser.
    const reason = error instanceof Error ? error.message : String(error);
    return refuse(`is no RE2 expression: ${reason.replace(/^error parsing regexp: /, "")}`);
  }
}

function refuse(message: string): PatternResult {
  return { ok: false, message };
}

/**
 * The patterns of a snapshot, for the engine. What was accepted stays accepted:
 * the limits hold for configuration as it is written, not for what a compiler
 * made of it. Throws when the source is no expression: the snapshot is broken.
 */
export const compilePattern: CompilePattern = (source) => {
  const compiled = RE2JS.compile(source);
  return (text) => compiled.testExact(text);
};
