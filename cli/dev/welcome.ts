/**
 * What `selvedge dev` prints when all is ready.
 *
 * @module
 */
import { DEFAULT_SERVER } from "../settings.ts";
import type { Applied } from "./demo.ts";
import { MESH_DOMAIN } from "./local-mesh.ts";

/** What runs. */
export interface Scene {
  readonly url: string;
  readonly port: number;
  readonly seconds: number;
  /** Where the token lies, as a person would write it here; null when it came by the environment. */
  readonly tokenFile: string | null;
  readonly logFile: string;
  /** Null without the example. */
  readonly demo: {
    readonly applied: Applied;
    readonly ratings: { readonly url: string; readonly pid: number };
  } | null;
}

/** Where the command line looks by itself, from the directory in which `selvedge dev` ran. */
const USUAL_TOKEN_FILE = ".selvedge/admin-token";

/** Several lines, for a terminal. */
export function welcome(scene: Scene): string {
  const { demo } = scene;
  const sections = [
    [
      `Selvedge is ready in ${scene.seconds.toFixed(1)} s${demo === null ? "" : `, ${configuration(demo.applied)}`}.`,
    ],
    places(scene),
    settings(scene),
    demo === null ? ["Next: npx selvedge apply -f FILE"] : suggestions(scene.port, demo.ratings.pid),
    ["Ctrl-C stops everything."],
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n");
}

function configuration({ revision, isKept }: Applied): string {
  return isKept
    ? `with the configuration of the last run (revision ${revision})`
    : `with the example applied (revision ${revision})`;
}

function places({ url, port, tokenFile, logFile, demo }: Scene): string[] {
  return [
    ...(demo === null ? [] : [`  page         http://bookinfo.localhost:${port}/productpage`]),
    `  services     http://<service>.<namespace>.${MESH_DOMAIN}:${port}`,
    `  admin API    ${url}/api/v1 (described at ${url}/api/v1/openapi.json)`,
    `  metrics      ${url}/metrics`,
    ...(demo === null
      ? []
      : [`  ratings v2   ${demo.ratings.url}, a Node server outside (pid ${demo.ratings.pid})`]),
    `  admin token  ${tokenFile ?? "as SELVEDGE_ADMIN_TOKEN has it"}`,
    `  log          ${logFile}`,
  ];
}

/** What the command line cannot guess. */
function settings({ url, tokenFile }: Scene): string[] {
  const server = url === DEFAULT_SERVER ? [] : [`  export SELVEDGE_SERVER=${url}`];
  const token =
    tokenFile === null || tokenFile === USUAL_TOKEN_FILE
      ? []
      : [`  export SELVEDGE_ADMIN_TOKEN="$(cat ${tokenFile})"`];
  const lines = [...server, ...token];
  return lines.length === 0 ? [] : ["In another terminal, first:", ...lines];
}

function suggestions(port: number, ratingsPid: number): string[] {
  return [
    "Try, in another terminal:",
    "  npx selvedge apply -f examples/bookinfo/samples/reviews-90-10.yaml   # then reload the page",
    `  kill ${ratingsPid}   # ratings v2 is gone, and the page keeps its stars`,
    '  curl -H "Authorization: Bearer $(npx selvedge token --as bookinfo/bookinfo-productpage)" \\',
    `    http://reviews.bookinfo.${MESH_DOMAIN}:${port}/reviews/0`,
  ];
}
