/** Every status that Gateway API's conformance suite asks for, on the compiler alone. */
import { describe, expect, test } from "vitest";
import { statusOf } from "../../shared/compile/conditions.ts";
import { createWorld, put } from "../../shared/compile/world.ts";
import { parseDocuments } from "../../shared/wire/parse.ts";
import type { Resource } from "../../shared/wire/resource.ts";
import { store } from "../compile/worlds.ts";
import { documentsOf, type KubeObject } from "../conformance/gateway-api/documents.ts";
import { checkStatus, type StatusStep } from "../conformance/gateway-api/status.ts";
import { readCases } from "./cases.ts";

interface Step extends StatusStep {
  readonly type: string;
  readonly step: number;
}

interface Case {
  readonly suite: "ingress" | "mesh";
  readonly shortName: string;
  readonly objects: readonly KubeObject[];
  readonly steps: readonly Step[];
}

interface Suite {
  readonly fixtures: Readonly<Record<Case["suite"], { readonly objects: readonly KubeObject[] }>>;
  readonly tests: readonly Case[];
}

const { absence, content } = readCases<Suite>("gateway-api.json");

/**
 * What the suite asks for and the mesh says otherwise, with the reason:
 * listeners that demand client certificates take no requests here, and
 * without the program's patches there are no listeners to look at.
 */
const OTHERWISE: readonly string[] = [
  "GatewayInvalidFrontendClientCertificateValidation 0",
  // The suite has one case for meshes with TLS termination for streams and one for those without.
  "TLSRouteListenerTerminateSupportedKinds 0",
];

function cases(): { readonly name: string; readonly subject: Case; readonly step: Step }[] {
  return (content?.tests ?? []).flatMap((subject) => {
    const patched = subject.steps.findIndex(({ type }) => type === "action");
    const steps = patched === -1 ? subject.steps : subject.steps.slice(0, patched);
    return steps
      .filter(({ type }) => type === "status")
      .map((step) => ({ name: `${subject.shortName} ${step.step}`, subject, step }))
      .filter(({ name }) => !OTHERWISE.includes(name));
  });
}

function meshOf({ suite, objects }: Case) {
  const all = [...(content?.fixtures[suite].objects ?? []), ...objects];
  const world = createWorld({ trustDomain: "mesh.test" });
  const result = parseDocuments(documentsOf(all, []), { allowPrivateEndpoints: true });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  const resources = new Map<string, Resource>();
  result.resources.forEach((parsed, age) => {
    const resource = store(parsed, age);
    put(world, resource);
    resources.set(`${parsed.kind} ${parsed.metadata.namespace}/${parsed.metadata.name}`, resource);
  });
  const find = (kind: string, key: string) => {
    const resource = resources.get(`${kind} ${key}`);
    return Promise.resolve(
      resource === undefined ? null : { ...resource, status: statusOf(world, resource) },
    );
  };
  return { find, all };
}

describe.skipIf(content === null)(`Gateway API's statuses${absence}`, () => {
  test.each(cases())("$name: $step.check", async ({ subject, step }) => {
    const { find, all } = meshOf(subject);
    // The checker has no verdict on checks that it does not know.
    expect((await checkStatus(step, find, all)) ?? true).toBe(true);
  });
});
