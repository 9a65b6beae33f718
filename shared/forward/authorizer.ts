/**
 * External authorizers: whom an AuthorizationPolicy with `action: CUSTOM`
 * leaves the decision to.
 *
 * @module
 */
import { consulted } from "../engine/authorize.ts";
import type { AuthorizationInput, AuthorizationProvider, CustomRules } from "../engine/authorize.ts";
import { isHopByHop, isOwned } from "../engine/headers.ts";
import { matches, parseStringMatch } from "../engine/match.ts";
import type { FieldEdit } from "./end-users.ts";
import { within } from "./patience.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";
import type { Mesh } from "./state.ts";

/** A call as an authorizer is told of it. */
export interface Asked extends AuthorizationInput {
  /** As sent, without the `?`. */
  readonly query: string;
}

export interface Agreed {
  readonly kind: "agreed";
  readonly edits: readonly FieldEdit[];
}

/** Asks every provider whose rules match, one after the other; all must agree. */
export async function consult(
  mesh: Mesh,
  custom: readonly CustomRules[],
  asked: Asked,
): Promise<Agreed | Refusal> {
  const edits: FieldEdit[] = [];
  for (const rules of custom) {
    if (consulted(rules, asked) === null) continue;
    // A policy that names nobody who could agree lets nobody in.
    if (rules.provider === null) return refuse("authz.custom", "Nobody can be asked about this call.");
    const answer = await ask(mesh, rules.provider, asked);
    if (answer.kind === "refusal") return answer;
    edits.push(...answer.edits);
  }
  return { kind: "agreed", edits };
}

async function ask(mesh: Mesh, provider: AuthorizationProvider, asked: Asked): Promise<Agreed | Refusal> {
  const control = new AbortController();
  try {
    const request = checkOf(provider, asked, control.signal);
    const response = await within(mesh.ports, mesh.ports.ask(provider.address, request), provider.timeoutMs);
    // The body is for nobody; a stream that is left open would hold a connection.
    await response.body?.cancel();
    if (response.status >= 500) throw new Error(`status ${response.status}`);
    return response.status === 200 ? agreed(provider, response) : denied(provider, response);
  } catch (error) {
    control.abort();
    const { name, failsOpen, statusOnError } = provider;
    mesh.ports.log({
      event: "authz.provider_failed",
      provider: name,
      failsOpen,
      error: String(error).slice(0, 256),
    });
    if (failsOpen) return { kind: "agreed", edits: [] };
    return {
      ...refuse("authz.custom", "The authorizer of this call cannot be asked."),
      status: statusOnError,
    };
  }
}

/** Method, host and path of the call, the fields that are to be shown, and no body (Envoy's HTTP check). */
function checkOf(
  { address, pathPrefix, sends, adds }: AuthorizationProvider,
  { host, method, path, query, headers }: Asked,
  signal: AbortSignal,
): Request {
  const fields = new Headers();
  for (const name of ["authorization", ...sends]) {
    const value = headers.get(name);
    if (value !== null) fields.set(name, value);
  }
  for (const [name, value] of Object.entries(adds)) fields.set(name, value);
  fields.set("x-forwarded-host", host);
  const origin = address.kind === "origin" ? address.url : `http://${host}`;
  const target = `${pathPrefix}${path}${query === "" ? "" : `?${query}`}`;
  return new Request(`${origin}${target}`, { method, headers: fields, redirect: "manual", signal });
}

/** Whatever is named, the length of the answer is not that of the call. */
function agreed({ toUpstream }: AuthorizationProvider, { headers }: Response): Agreed {
  const edits: FieldEdit[] = [];
  headers.forEach((value, name) => {
    const isTheirs = isHopByHop(name) || isOwned(name) || name === "content-length";
    if (isNamed(toUpstream, name) && !isTheirs) edits.push({ name, value });
  });
  return { kind: "agreed", edits };
}

/** By a name in full, or by its beginning or end (Istio). */
function isNamed(names: readonly string[], name: string): boolean {
  return names.some((wanted) => matches(parseStringMatch(wanted), name));
}

/** What speaks of a body that is not passed on. */
const OF_BODY = new Set(["content-length", "content-type", "content-encoding", "transfer-encoding"]);

function denied({ toDenied }: AuthorizationProvider, { status, headers }: Response): Refusal {
  const told: [string, string][] = [];
  headers.forEach((value, name) => {
    const isWanted = toDenied.length === 0 || isNamed(toDenied, name);
    if (isWanted && !OF_BODY.has(name) && !isHopByHop(name) && !isOwned(name)) told.push([name, value]);
  });
  // A status that tells of success would pass for an answer of the service.
  const shown = status >= 300 ? status : 403;
  return {
    ...refuse("authz.custom", "An external authorizer denies this call."),
    status: shown,
    headers: told,
  };
}
