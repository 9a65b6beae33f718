/**
 * From the objects of a Kubernetes cluster to documents that the mesh knows:
 * pods become endpoints, and what only Kubernetes has a use for is left out.
 */
import { CERTIFICATES } from "./certificates.ts";
import { kindsOf } from "../../../shared/wire/resources/kinds.ts";

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec?: unknown;
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

/** A backend that listens on this machine. */
export interface Pod {
  readonly name: string;
  readonly namespace: string;
  /** `host:port`. */
  readonly address: string;
  /** The mesh's binding to it. */
  readonly binding: string;
}

/** What the suite's manifests have in the place of the implementation's own names. */
const PLACEHOLDERS = {
  "{GATEWAY_CLASS_NAME}": "selvedge",
  "{GATEWAY_CONTROLLER_NAME}": "selvedge.dev/gateway-controller",
};

/** The suite fills such slices with the addresses of these pods while it runs. */
const SLICE_PODS = "infra-backend-v1";

/** The documents of a cluster with these objects, in their order, then its certificates and endpoints. */
export function documentsOf(objects: readonly KubeObject[], pods: readonly Pod[]): unknown[] {
  const known = objects.filter(isKnown);
  let text = JSON.stringify(known);
  for (const [placeholder, name] of Object.entries(PLACEHOLDERS)) text = text.replaceAll(placeholder, name);
  const documents: unknown[] = JSON.parse(text);
  return [...documents, ...CERTIFICATES, ...endpointsOf(objects, pods)];
}

function isKnown({ apiVersion, kind }: KubeObject): boolean {
  return kindsOf().some((info) => info.kind === kind && info.accepts.includes(apiVersion));
}

function endpointsOf(objects: readonly KubeObject[], pods: readonly Pod[]): unknown[] {
  const selected = objects
    .filter(({ kind }) => kind === "Deployment")
    .flatMap((deployment) => {
      const labels = templateLabels(deployment);
      return podsOf(pods, deployment.metadata.namespace, deployment.metadata.name).map((pod) =>
        endpoint(pod, pod.name, { labels }),
      );
    });
  const listed = objects
    .filter(({ kind }) => kind === "EndpointSlice")
    .flatMap(({ metadata }) => {
      const service = metadata.labels?.["kubernetes.io/service-name"];
      if (service === undefined) return [];
      return podsOf(pods, metadata.namespace, SLICE_PODS).map((pod) =>
        endpoint(pod, `${metadata.name}.${pod.name}`, { services: [service] }),
      );
    });
  return [...selected, ...listed];
}

/** Kubernetes names a pod after its deployment, its replica set and itself. */
function podsOf(pods: readonly Pod[], namespace: string | undefined, deployment: string): readonly Pod[] {
  return pods.filter(
    (pod) => pod.namespace === namespace && pod.name.split("-").slice(0, -2).join("-") === deployment,
  );
}

function endpoint(
  pod: Pod,
  name: string,
  { labels = {}, services = [] }: { labels?: Readonly<Record<string, string>>; services?: readonly string[] },
): unknown {
  return {
    apiVersion: "selvedge.dev/v1",
    kind: "Endpoint",
    metadata: { name, namespace: pod.namespace, labels },
    spec: { address: `binding:${pod.binding}`, services },
  };
}

function templateLabels({ spec }: KubeObject): Readonly<Record<string, string>> {
  const labels = at(spec, "template", "metadata", "labels");
  if (typeof labels !== "object" || labels === null) return {};
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, String(value)]));
}

/** The value at a path of objects; `undefined` when there is none. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const step of path) {
    if (typeof found !== "object" || found === null) return undefined;
    found = Reflect.get(found, step);
  }
  return found;
}

/** A value that should be a list; an empty one when it is none. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
