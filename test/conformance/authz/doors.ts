/** Which Gateway a scenario's call comes in by. */
import type { GatewayAddress } from "../../../shared/forward/gateway-address.ts";
import type { KubeObject, Scenario } from "./documents.ts";

interface Server {
  readonly port: number;
  readonly isSecure: boolean;
  readonly hosts: readonly string[];
}

/** The Gateway and the port of it that serve a host, the one that names it most exactly; without any, the first. */
export function doorOf({ objects }: Scenario, host: string): GatewayAddress {
  const doors = objects
    .filter(({ kind }) => kind === "Gateway")
    .flatMap((gateway) =>
      serversOf(gateway).flatMap((server) => server.hosts.map((pattern) => ({ gateway, server, pattern }))),
    );
  const best = doors
    .filter(({ pattern }) => serves(pattern, host))
    .toSorted((a, b) => exactness(b.pattern) - exactness(a.pattern))[0];
  const { gateway, server } = best ?? doors[0] ?? { gateway: undefined, server: undefined };
  return {
    gateway: gateway === undefined ? "default/none" : nameOf(gateway),
    port: server?.port ?? 80,
    scheme: server?.isSecure === true ? "https" : "http",
  };
}

function nameOf({ apiVersion, metadata: { name, namespace = "default" } }: KubeObject): string {
  return `${namespace}/${isIstios(apiVersion) ? `istiogateway.${name}` : name}`;
}

function isIstios(apiVersion: string): boolean {
  return apiVersion.startsWith("networking.istio.io/");
}

function serversOf({ apiVersion, spec }: KubeObject): Server[] {
  if (isIstios(apiVersion))
    return listAt(spec, "servers").map((server) => ({
      port: Number(at(at(server, "port"), "number")),
      isSecure: at(at(server, "port"), "protocol") === "HTTPS",
      hosts: listAt(server, "hosts").map((host) => String(host).split("/").at(-1) ?? ""),
    }));
  return listAt(spec, "listeners").map((listener) => ({
    port: Number(at(listener, "port")),
    isSecure: at(listener, "protocol") === "HTTPS",
    hosts: [String(at(listener, "hostname") ?? "*")],
  }));
}

function at(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function listAt(value: unknown, name: string): readonly unknown[] {
  const list = at(value, name);
  return Array.isArray(list) ? list : [];
}

function serves(pattern: string, host: string): boolean {
  return pattern.startsWith("*") ? host.endsWith(pattern.slice(1)) : host === pattern;
}

function exactness(pattern: string): number {
  return pattern.startsWith("*") ? pattern.length : 1_000;
}
