/** Resources and a mesh for the tests of commands. */
import { requireKind } from "../../cli/targets.ts";
import { cli, startMesh, type Answers, type Ran } from "./cli-kit.ts";

/** Runs a command line against a mesh that answers so, and tells what it heard besides. */
export async function against(
  answers: Answers,
  args: readonly string[],
  input = "",
): Promise<Ran & { readonly heard: readonly unknown[] }> {
  const mesh = await startMesh(answers);
  const ran = await cli(["--server", mesh.url, ...args], { input });
  await mesh.close();
  return {
    ...ran,
    err: ran.err.replaceAll(mesh.url, "MESH"),
    out: ran.out.replaceAll(mesh.url, "MESH"),
    heard: mesh.heard.map(({ line, body }) => (body === undefined ? line : [line, body])),
  };
}

/** Three hours ago. */
export const CREATED = new Date(Date.now() - 3_600_000 * 3).toISOString();

/** A resource as the mesh answers it. */
export function stored(
  kind: string,
  name: string,
  spec: unknown,
  more: { namespace?: string; labels?: object } = {},
) {
  const { apiVersion } = requireKind(kind);
  const { namespace = "shop", labels = {} } = more;
  const metadata = {
    name,
    namespace,
    labels,
    annotations: {},
    uid: "u",
    generation: 2,
    creationTimestamp: CREATED,
  };
  return { apiVersion, kind, metadata, spec };
}

export const REVIEWS = stored("Service", "reviews", {
  ports: [{ name: "http", port: 80 }],
  selector: { app: "reviews" },
});
export const ENDPOINT = stored(
  "Endpoint",
  "reviews-v1",
  { address: "binding:REVIEWS", weight: 1 },
  { labels: { version: "v1" } },
);
export const SHOP = stored("Namespace", "shop", {}, { namespace: "" });

/** A reference to a resource. */
export function ref(kind: string, name: string, namespace = "shop") {
  const { apiVersion } = requireKind(kind);
  return { apiVersion, kind, namespace, name };
}
