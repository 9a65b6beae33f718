/**
 * The directory as a host uses it: which virtual host answers to a host name
 * and port.
 *
 * @module
 */
import { compareHost, findHost } from "../engine/host.ts";
import type { PathLevel } from "../engine/path.ts";
import type { DirectoryUnit, Listener } from "../engine/snapshot.ts";
import type { GatewayAddress } from "./gateway-address.ts";

/** A virtual host: a listener and the one of its domains that covers the request's host. */
export interface Gate {
  readonly listener: Listener;
  /** `null`: the listener serves the host, and no route of its does. */
  readonly domain: string | null;
}

interface LinkedListener {
  readonly listener: Listener;
  readonly domains: ReadonlySet<string>;
}

export interface LinkedDirectory {
  readonly kind: "directory";
  readonly unit: DirectoryUnit;
  readonly byHostname: ReadonlyMap<string, readonly LinkedListener[]>;
  /** No door of the mesh has another level of paths: nobody needs to look which. */
  readonly isStrict: boolean;
  /** Gates found before; dropped with the directory. */
  readonly known: Map<string, Gate | null>;
}

/** Where a request knocks. */
export interface Knock {
  readonly host: string;
  readonly port: number;
  readonly scheme: "http" | "https";
}

/** Clients choose host names: what is remembered of them is bounded. */
const MAX_KNOWN = 1_000;

/** Indexes a directory's listeners by host name. */
export function linkDirectory(unit: DirectoryUnit): LinkedDirectory {
  const byHostname = new Map<string, LinkedListener[]>();
  for (const listener of unit.listeners) {
    const linked = { listener, domains: new Set(listener.domains) };
    const others = byHostname.get(listener.hostname);
    if (others === undefined) byHostname.set(listener.hostname, [linked]);
    else others.push(linked);
  }
  const isStrict = unit.listeners.every(({ pathLevel = "strict" }) => pathLevel === "strict");
  return { kind: "directory", unit, byHostname, isStrict, known: new Map() };
}

/** The level of paths at a gateway's door; `null` as its address for any at which the host is served. */
export function levelAt(directory: LinkedDirectory, knock: Knock, address: GatewayAddress | null): PathLevel {
  const gate = address === null ? findGate(directory, knock) : findGateAt(directory, knock.host, address);
  return gate?.listener.pathLevel ?? "strict";
}

/**
 * Finds the gate for a request; `null` when no listener serves the host.
 *
 * The edge has one address for all gateways, so a listener's port is a
 * preference: one with the request's port comes before one with its scheme,
 * and that before any other. Within a gateway the listener with the most
 * specific host name decides, even if it has no route (Gateway API); among
 * gateways one that has a route, then the nearest port, then the most
 * specific domain, then the first.
 */
export function findGate(directory: LinkedDirectory, knock: Knock): Gate | null {
  const name = `${knock.scheme}:${knock.port}:${knock.host}`;
  const known = directory.known.get(name);
  if (known !== undefined) return known;
  return remember(directory, name, choose(candidates(directory, knock), knock));
}

/**
 * Finds the gate of a host at one address of a gateway: of the listeners
 * there, the one with the most specific host name that covers the host, even
 * if it has no route (Gateway API). `null` when none covers it.
 */
export function findGateAt(directory: LinkedDirectory, host: string, address: GatewayAddress): Gate | null {
  const name = `${address.scheme}:${address.port}:${host}#${address.gateway}`;
  const known = directory.known.get(name);
  if (known !== undefined) return known;
  const isThere = ({ listener }: LinkedListener): boolean =>
    listener.gateway === address.gateway &&
    listener.port === address.port &&
    listener.scheme === address.scheme;
  const found = patternsOf(host)
    .flatMap((pattern) => directory.byHostname.get(pattern) ?? [])
    .find(isThere);
  return remember(
    directory,
    name,
    found === undefined ? null : { listener: found.listener, domain: findHost(found.domains, host) },
  );
}

function remember(directory: LinkedDirectory, name: string, gate: Gate | null): Gate | null {
  if (directory.known.size >= MAX_KNOWN) directory.known.clear();
  directory.known.set(name, gate);
  return gate;
}

/** One listener per gateway: the best by port, then by host name. */
function candidates(directory: LinkedDirectory, knock: Knock): Iterable<LinkedListener> {
  const best = new Map<string, LinkedListener>();
  for (const pattern of patternsOf(knock.host)) {
    for (const linked of directory.byHostname.get(pattern) ?? []) {
      const rival = best.get(linked.listener.gateway);
      if (rival === undefined || distance(linked.listener, knock) < distance(rival.listener, knock))
        best.set(linked.listener.gateway, linked);
    }
  }
  return best.values();
}

/** Every pattern that covers a host, the most specific first. */
function patternsOf(host: string): readonly string[] {
  const patterns = [host];
  for (let dot = host.indexOf("."); dot !== -1; dot = host.indexOf(".", dot + 1))
    patterns.push(`*${host.slice(dot)}`);
  patterns.push("*");
  return patterns;
}

/** How far a listener is from the one that was asked for: 0 for the same port and scheme. */
function distance(listener: Listener, knock: Knock): number {
  return (listener.port === knock.port ? 0 : 2) + (listener.scheme === knock.scheme ? 0 : 1);
}

function choose(listeners: Iterable<LinkedListener>, knock: Knock): Gate | null {
  let best: Gate | null = null;
  for (const { listener, domains } of listeners) {
    const gate = { listener, domain: findHost(domains, knock.host) };
    if (best === null || isBetter(gate, best, knock)) best = gate;
  }
  return best;
}

function isBetter(gate: Gate, rival: Gate, knock: Knock): boolean {
  if (gate.domain === null || rival.domain === null) return rival.domain === null && gate.domain !== null;
  const nearer = distance(rival.listener, knock) - distance(gate.listener, knock);
  return nearer > 0 || (nearer === 0 && compareHost(gate.domain, rival.domain) < 0);
}
