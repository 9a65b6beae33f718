/**
 * PeerAuthentications: whether callers must prove who they are, and what their
 * tokens are worth.
 *
 * @module
 */
import type { OperationMatch } from "../engine/authorize.ts";
import type { InboundPolicy, PeerMode, TokenPolicy } from "../engine/snapshot.ts";
import type { Resource } from "../wire/resource.ts";
import type { PeerAuthenticationSpec } from "../wire/resources/peer-authentication.ts";
import { compileOperation } from "./authorization.ts";
import {
  concerns,
  isForAll,
  oldest,
  scopeOfLabels,
  SYSTEM_NAMESPACE,
  type Policy,
  type Subject,
} from "./policy.ts";

type PeerSetting = PeerAuthenticationSpec["mtls"]["mode"];

/** A PeerAuthentication. */
export interface PeerPolicy extends Policy {
  readonly mode: PeerSetting;
  /** By port; decides there before `mode`. */
  readonly ports: ReadonlyMap<number, PeerSetting>;
  readonly tokens: TokenPolicyAsSet;
  /** Of two on the same level the older counts. */
  readonly creationTimestamp: string;
}

/** What a policy says of tokens. Absent: the next level decides. */
interface TokenPolicyAsSet {
  readonly once?: readonly OperationMatch[];
  readonly isBound?: boolean;
}

/** Compiles a PeerAuthentication. */
export function compilePeer({ metadata, spec }: Resource<PeerAuthenticationSpec>): PeerPolicy {
  const { namespace, name, creationTimestamp } = metadata;
  const scope = scopeOfLabels(spec.selector?.matchLabels);
  const ports = Object.entries(spec.portLevelMtls ?? {}).map(([port, { mode }]): [number, PeerSetting] => [
    Number(port),
    mode,
  ]);
  const { once, binding } = spec.tokens ?? {};
  const tokens = {
    ...(once === undefined ? {} : { once: once.map(compileOperation) }),
    ...(binding === undefined ? {} : { isBound: binding === "Certificate" }),
  };
  return { namespace, name, scope, mode: spec.mtls.mode, ports: new Map(ports), tokens, creationTimestamp };
}

/**
 * Whether callers must prove who they are. The narrowest level that says so
 * decides: port, workload, namespace, mesh. Strict when none does: unlike
 * Istio's permissive default, a new mesh has nothing to migrate from. A
 * selector in the system namespace selects nothing elsewhere (Istio).
 */
export function decidePeer(
  policies: readonly PeerPolicy[],
  subject: Subject,
): Pick<InboundPolicy, "peer" | "peerPorts" | "tokens"> {
  const own = policies.filter(
    (policy) => policy.namespace === subject.namespace && concerns(policy, subject),
  );
  const mesh = policies.filter((policy) => policy.namespace === SYSTEM_NAMESPACE && isForAll(policy));
  const workload = oldest(own.filter((policy) => !isForAll(policy)));
  const levels = [workload, oldest(own.filter(isForAll)), oldest(mesh)];
  const decided = levels.flatMap((policy) => modeOf(policy?.mode ?? "UNSET"));
  const peerPorts = [...(workload?.ports ?? [])]
    .flatMap(([port, setting]) => modeOf(setting).map((mode) => ({ port, mode })))
    .toSorted((a, b) => a.port - b.port);
  const tokens = decideTokens(levels);
  return {
    peer: decided[0] ?? "strict",
    ...(peerPorts.length === 0 ? {} : { peerPorts }),
    ...(tokens === null ? {} : { tokens }),
  };
}

/** `null`: nothing is asked of them. */
function decideTokens(levels: readonly (PeerPolicy | undefined)[]): TokenPolicy | null {
  const once = levels.find((level) => level?.tokens.once !== undefined)?.tokens.once ?? [];
  const isBound = levels.find((level) => level?.tokens.isBound !== undefined)?.tokens.isBound ?? false;
  if (once.length === 0 && !isBound) return null;
  return { ...(once.length === 0 ? {} : { once }), ...(isBound ? { isBound } : {}) };
}

/** None where the next level decides. */
function modeOf(setting: PeerSetting): PeerMode[] {
  switch (setting) {
    case "UNSET":
      return [];
    case "DISABLE":
      return ["disabled"];
    case "PERMISSIVE":
      return ["permissive"];
    case "STRICT":
      return ["strict"];
  }
}
