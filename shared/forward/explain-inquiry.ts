/**
 * What an explanation is made from, and what is known of its request.
 *
 * @module
 */
import type { AuthorizationInput, Caller } from "../engine/authorize.ts";
import type { Rewrite } from "../engine/filter.ts";
import { parseHost } from "../engine/host.ts";
import * as redirect from "../engine/redirect.ts";
import type { RequestView } from "../engine/request.ts";
import type { CompilePattern, Match } from "../engine/route.ts";
import type { Unit, UnitKey } from "../engine/snapshot.ts";
import type { Millis } from "../engine/time.ts";
import type { LinkedDirectory } from "./directory.ts";

/** The compiled configuration, as whoever explains gets at it. */
export interface Knowledge {
  /** `null`: there is no such unit. */
  unit(key: UnitKey): Promise<Unit | null>;
  /** The version of the units that were loaded; 0 before the first. */
  version(): number;
  readonly meshDomain: string;
  now(): Millis;
  readonly compilePattern: CompilePattern;
}

/** A request that is being explained. */
export interface Inquiry {
  readonly knowledge: Knowledge;
  readonly directory: LinkedDirectory;
  readonly view: RequestView;
  readonly caller: Caller | null;
}

/** Loads a unit of a kind; `null` when there is none. */
export async function load<Kind extends Unit["kind"]>(
  { unit }: Knowledge,
  key: UnitKey,
  kind: Kind,
): Promise<Extract<Unit, { kind: Kind }> | null> {
  const found = await unit(key);
  return found !== null && isOfKind(found, kind) ? found : null;
}

function isOfKind<Kind extends Unit["kind"]>(unit: Unit, kind: Kind): unit is Extract<Unit, { kind: Kind }> {
  return unit.kind === kind;
}

/** What policies compare of a request, but for its port. */
export function inputOf({ knowledge, caller }: Inquiry, view: RequestView): Omit<AuthorizationInput, "port"> {
  const { host, method, path, headers } = view;
  return { caller, host, method, path, headers, now: knowledge.now() };
}

/** The request as a backend sees it: its policies decide by this one. */
export function asRewritten(
  view: RequestView,
  { entry }: Pick<Match, "entry">,
  rewrite: Rewrite | undefined,
): RequestView {
  if (rewrite === undefined) return view;
  const authority = rewrite.hostname ?? view.authority;
  const parsed = parseHost(authority, view.scheme);
  const path =
    rewrite.path === undefined ? view.path : redirect.rewritePath(rewrite.path, view.path, entry.path);
  return { ...view, authority, host: parsed.kind === "ok" ? parsed.host : authority, path };
}
