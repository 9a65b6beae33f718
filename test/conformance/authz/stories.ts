/**
 * What Istio's own tests of authorization assert, in this repository's words:
 * policies, and lines of calls with what becomes of them.
 */
import { readdirSync, readFileSync } from "node:fs";
import { parse } from "yaml";
import type { KubeObject, Scenario } from "./documents.ts";
import type { Call } from "./guarded.ts";

interface Story {
  readonly id: string;
  /** Without apiVersion; named `b` in `echo1`, where the workload `b` is, unless they say otherwise. */
  readonly documents: readonly Pick<KubeObject, "kind" | "metadata" | "spec">[];
  /**
   * `CALLER[:PORT] METHOD PATH [NAME=VALUE …] -> OUTCOME`. Callers: `a` and `x`
   * are the workloads echo1/a and echo2/a, `-` is nobody, `in` comes by the
   * ingress gateway, `out.a` and `out.x` by the egress gateway. `$name` is a
   * token, `_` in a value a blank. An outcome is `allow`, `deny` or a status.
   */
  readonly calls: string;
}

/** One call of a story. */
export interface Line {
  readonly text: string;
  readonly call: Call;
  /** `allow`, `deny`, or a status. */
  readonly outcome: string;
}

const FOLDER = new URL("stories/", import.meta.url);

/** All stories, by their names. */
export function stories(): readonly (readonly [id: string, Story])[] {
  const files = readdirSync(FOLDER).toSorted();
  const read: Story[] = files.flatMap((file) => parse(readFileSync(new URL(file, FOLDER), "utf8")));
  return read.map((story) => [story.id, story]);
}

const PORTS = { http: [80, 18080], http2: [85, 18085], grpc: [7070, 17070] } as const;

const GROUPS: Readonly<Record<string, string>> = {
  VirtualService: "networking.istio.io/v1",
  IstioGateway: "networking.istio.io/v1",
};

/** A story as a runner of scenarios has it. */
export function scenarioOf({ id, documents }: Story): Scenario {
  const ports = Object.entries(PORTS).map(([name, [servicePort, workloadPort]]) => [
    name,
    { servicePort, workloadPort },
  ]);
  return {
    id,
    objects: documents.map(({ kind, metadata, spec }) => ({
      apiVersion: GROUPS[kind] ?? "security.istio.io/v1",
      kind: kind === "IstioGateway" ? "Gateway" : kind,
      metadata: metadata ?? { name: "b", namespace: "echo1" },
      spec,
    })),
    target: { service: "b", namespace: "echo1", labels: { app: "b" }, ports: Object.fromEntries(ports) },
    clients: { "echo1/a": { ip: "10.0.1.1" }, "echo2/a": { ip: "10.0.2.1" } },
  };
}

/** A story's calls, with the tokens that it names. */
export function linesOf({ calls }: Story, tokens: Readonly<Record<string, string>>): readonly Line[] {
  return calls
    .trim()
    .split("\n")
    .map((text) => {
      const [call = "", outcome = ""] = text.split(" -> ");
      return { text, call: callOf(call, (part) => withTokens(part, tokens)), outcome };
    });
}

function withTokens(text: string, tokens: Readonly<Record<string, string>>): string {
  return text.replace(/\$([a-z]+)/g, (_, name: string) => {
    const token = tokens[name];
    if (token === undefined) throw new Error(`there is no token ${name}`);
    return token;
  });
}

const workload = (namespace: string) => ({ namespace, serviceAccount: "a", mtls: true });

const CALLERS: Readonly<Record<string, Call["from"]>> = {
  a: workload("echo1"),
  x: workload("echo2"),
  "-": { namespace: null, mtls: false },
  in: { via: "ingress-gateway" },
  "out.a": { ...workload("echo1"), via: "egress-gateway" },
  "out.x": { ...workload("echo2"), via: "egress-gateway" },
};

function callOf(text: string, filled: (part: string) => string): Call {
  const [who = "", method = "", path = "", ...fields] = text.split(" ");
  const [caller = "", port = "http"] = who.split(":");
  const from = CALLERS[caller];
  if (from === undefined) throw new Error(`there is no caller ${caller}`);
  const headers = fields.map((field) => {
    const at = field.indexOf("=");
    return [field.slice(0, at), filled(field.slice(at + 1).replaceAll("_", " "))];
  });
  return { from, port, method, path: filled(path), headers: Object.fromEntries(headers) };
}
