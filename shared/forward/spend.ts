/**
 * Tokens that count once: at operations whose policy says so, a token of the
 * mesh lets one call through, wherever in the mesh it is shown again.
 *
 * @module
 */
import { isToAny } from "../engine/authorize.ts";
import type { Operation, OperationMatch } from "../engine/authorize.ts";
import type { Shown, ShownToken } from "./identify.ts";
import { within } from "./patience.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";
import type { Mesh } from "./state.ts";

/** Tokens that this isolate knows to be spent. Two generations make it forget the oldest without a list of uses. */
export interface SpentTokens {
  young: Set<string>;
  old: Set<string>;
}

/** Remembered at most, in two generations: some 300 KB. What is forgotten is known to the objects. */
export const MAX_SPENT = 2_048;

/** An object that takes longer counts as unavailable. */
const WAIT_MS = 1_000;

export function createSpentTokens(): SpentTokens {
  return { young: new Set(), old: new Set() };
}

/**
 * Spends the tokens that came with a call if the operation is one of those at
 * which a token counts once. `null`: the call may go on, for all of its
 * tokens were shown for the first time, or none came with it. Spends once for
 * all tries and copies of a call, whichever policies ask for it. Fails closed.
 */
export function spendAt(
  mesh: Mesh,
  once: readonly OperationMatch[],
  operation: Operation,
  shown: Shown,
): Promise<Refusal | null> | null {
  if (shown.tokens.length === 0 || !isToAny(once, operation)) return null;
  shown.spending ??= spendAll(mesh, shown.tokens);
  return shown.spending;
}

async function spendAll(mesh: Mesh, tokens: readonly ShownToken[]): Promise<Refusal | null> {
  // The same one may have come in two fields.
  const named = new Map(tokens.map((token) => [nameOf(token), token]));
  for (const name of named.keys()) if (isSpent(mesh.state.spent, name)) return replayed();
  const refusals = await Promise.all([...named].map(([name, token]) => spend(mesh, name, token)));
  return refusals.find((refusal) => refusal !== null) ?? null;
}

/** By its audience as well: whoever may spend for one audience must not reach the tokens of another. */
function nameOf({ audience, id }: ShownToken): string {
  return `${audience} ${id}`;
}

async function spend({ state, ports }: Mesh, name: string, token: ShownToken): Promise<Refusal | null> {
  const { audience, id, expiresAt } = token;
  try {
    const { kind } = await within(ports, ports.control.spend({ audience, id, expiresAt }), WAIT_MS);
    if (kind === "full") throw new Error("no room to remember it");
    remember(state.spent, name);
    // An answer that nobody knows lets nobody in.
    return kind === "spent" ? null : replayed();
  } catch (error) {
    ports.log({ event: "token.unspent", audience, error: String(error).slice(0, 256) });
    // Whether it was written is not known, so that only another token is sure to count.
    return refuse(
      "authn.replay_unavailable",
      "Whether the token was used before cannot be told now: try again with a new one.",
      1_000,
    );
  }
}

function replayed(): Refusal {
  return refuse(
    "authn.token.replayed",
    "The token was used before, and counts once here: ask for a new one.",
  );
}

function isSpent({ young, old }: SpentTokens, name: string): boolean {
  return young.has(name) || old.has(name);
}

function remember(spent: SpentTokens, name: string): void {
  if (spent.young.size >= MAX_SPENT / 2) {
    spent.old = spent.young;
    spent.young = new Set();
  }
  spent.young.add(name);
}
