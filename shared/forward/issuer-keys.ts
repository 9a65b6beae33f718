/**
 * The public keys of issuers, fetched from where they publish them.
 *
 * @module
 */
import type { KeySource, PublicJwk } from "../engine/end-user.ts";
import type { Millis } from "../engine/time.ts";
import { parseJwks } from "../wire/jwks.ts";
import { readText } from "./body-text.ts";
import { settlesWithin, within } from "./patience.ts";
import type { Ports } from "./ports.ts";
import type { MeshState } from "./state.ts";

/** Keys are fetched anew after as long, ± 20 % (Envoy's default). Keys that an issuer takes back count no longer. */
const REFRESH_AFTER_MS: Millis = 600_000;
/** A token signed with a key that is not known causes a fetch, at most this often: strangers can bring that about. */
const LOOK_AGAIN_AFTER_MS: Millis = 30_000;
/** After a failure, doubled by each one more. */
const RETRY_AFTER_MS: Millis = 1_000;
const MAX_RETRY_AFTER_MS: Millis = 60_000;
/** While an issuer does not answer, what it said last counts as long: what it may have taken back since is not known. */
const KEEP_FOR_MS: Millis = 86_400_000;
/** A set of a hundred RSA keys is as large. */
const MAX_SET_BYTES = 65_536;
/** Issuers of one isolate. */
const MAX_SETS = 64;

/** What is known of one issuer's keys. */
export interface KeySet {
  /** `null`: never loaded. A failure leaves what was there. */
  keys: readonly PublicJwk[] | null;
  /** When the keys count no longer, unless they are fetched anew. */
  staleAt: Millis;
  refreshAt: Millis;
  /** No fetch before. */
  retryAt: Millis;
  failures: number;
  flight: { readonly startedAt: Millis; readonly done: Promise<void> } | null;
}

/** What verifying tokens needs of a host. */
export interface Verifier {
  readonly state: Pick<MeshState, "users" | "keySets">;
  readonly ports: Pick<Ports, "now" | "random" | "sleep" | "timer" | "defer" | "log" | "ask" | "userTokens">;
}

type Remote = Extract<KeySource, { readonly kind: "remote" }>;

/**
 * The keys of an issuer, `null` when none are known that count. Old ones serve
 * while they are fetched anew, for a day; only a call that finds none waits.
 */
export async function keysFrom(mesh: Verifier, source: KeySource): Promise<readonly PublicJwk[] | null> {
  if (source.kind === "inline") return source.keys;
  const set = setOf(mesh, source.uri);
  if (countingKeys(mesh, set) === null) await fetchNow(mesh, source, set);
  else if (mesh.ports.now() >= set.refreshAt) depart(mesh, source, set);
  return countingKeys(mesh, set);
}

/** The keys that an issuer has now: for a token that none of the known ones signed. */
export async function newerKeys(mesh: Verifier, source: KeySource): Promise<readonly PublicJwk[] | null> {
  if (source.kind === "inline") return source.keys;
  const set = setOf(mesh, source.uri);
  await fetchNow(mesh, source, set);
  return countingKeys(mesh, set);
}

function countingKeys({ ports }: Verifier, { keys, staleAt }: KeySet): readonly PublicJwk[] | null {
  return ports.now() < staleAt ? keys : null;
}

/** The keys as they are known now: what was verified with others is verified again. */
export function knownKeys(mesh: Verifier, source: KeySource): readonly PublicJwk[] | null {
  if (source.kind === "inline") return source.keys;
  const set = mesh.state.keySets.get(source.uri);
  // One that is due is fetched by the long way.
  return set === undefined || mesh.ports.now() >= set.refreshAt ? null : countingKeys(mesh, set);
}

function setOf({ state }: Verifier, uri: string): KeySet {
  const known = state.keySets.get(uri);
  if (known !== undefined) return known;
  for (const oldest of state.keySets.keys()) {
    if (state.keySets.size < MAX_SETS) break;
    state.keySets.delete(oldest);
  }
  const set: KeySet = { keys: null, staleAt: 0, refreshAt: 0, retryAt: 0, failures: 0, flight: null };
  state.keySets.set(uri, set);
  return set;
}

/** One fetch at a time serves all calls of the isolate. */
async function fetchNow(mesh: Verifier, source: Remote, set: KeySet): Promise<void> {
  const flight = depart(mesh, source, set);
  if (flight !== null) await settlesWithin(mesh.ports, flight, source.timeoutMs);
}

function depart(mesh: Verifier, source: Remote, set: KeySet): Promise<void> | null {
  const now = mesh.ports.now();
  // A flight dies with the request that it belonged to.
  if (set.flight !== null && now - set.flight.startedAt < source.timeoutMs) return set.flight.done;
  if (now < set.retryAt) return null;
  const done = fly(mesh, source, set).then(() => {
    if (set.flight?.done === done) set.flight = null;
  });
  set.flight = { startedAt: now, done };
  mesh.ports.defer(done);
  return done;
}

async function fly(mesh: Verifier, source: Remote, set: KeySet): Promise<void> {
  const { ports } = mesh;
  const spread = 0.8 + 0.4 * ports.random();
  try {
    set.keys = await load(mesh, source);
    set.failures = 0;
    set.staleAt = ports.now() + KEEP_FOR_MS;
    set.refreshAt = ports.now() + REFRESH_AFTER_MS * spread;
    set.retryAt = ports.now() + LOOK_AGAIN_AFTER_MS;
  } catch (error) {
    // Fail static: keys that are known keep serving.
    set.failures += 1;
    const afterMs = Math.min(MAX_RETRY_AFTER_MS, RETRY_AFTER_MS * 2 ** (set.failures - 1)) * spread;
    set.retryAt = ports.now() + afterMs;
    set.refreshAt = Math.max(set.refreshAt, set.retryAt);
    ports.log({ event: "jwks.failed", uri: source.uri.slice(0, 256), error: String(error).slice(0, 256) });
  }
}

/** Redirects are not followed: they could lead where the configuration may not. */
async function load({ ports }: Verifier, { uri, timeoutMs }: Remote): Promise<readonly PublicJwk[]> {
  const control = new AbortController();
  const request = new Request(uri, {
    headers: { accept: "application/json" },
    redirect: "manual",
    signal: control.signal,
  });
  try {
    const address = { kind: "origin", url: new URL(uri).origin } as const;
    const text = within(ports, ports.ask(address, request).then(textOf), timeoutMs);
    const parsed = parseJwks(await text);
    if (!parsed.ok) throw new Error(parsed.message);
    return parsed.keys;
  } catch (error) {
    control.abort();
    throw error;
  }
}

async function textOf(response: Response): Promise<string> {
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`status ${response.status}`);
  }
  return readText(response, MAX_SET_BYTES);
}
