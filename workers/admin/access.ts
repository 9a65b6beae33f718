/**
 * What each operation of the admin API asks of its principal, in one place.
 *
 * @module
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { admits, mayEdit, mayView, type Need, type Principal } from "../../shared/wire/access.ts";
import { MeshError } from "../../shared/wire/problem.ts";
import type { AdminEnv } from "./context.ts";

/** By operation id. One that is missing here is an admin's. */
export const NEEDS: Readonly<Record<string, Need>> = {
  getHealth: "public",
  getKeys: "public",
  getTrustBundle: "public",
  getDescription: "public",
  apply: "edit",
  listResources: "view",
  getResource: "view",
  deleteResource: "edit",
  deleteResources: "edit",
  listRevisions: "view",
  diffRevisions: "view",
  rollback: "admin",
  listServices: "view",
  getService: "view",
  registerEndpoint: "edit",
  beatEndpoint: "edit",
  drainEndpoint: "edit",
  deregisterEndpoint: "edit",
  issueToken: "edit",
  issueCertificate: "edit",
  getAuthority: "view-all",
  rotateAuthority: "admin",
  loadIntermediate: "admin",
  revoke: "admin",
  listRevocations: "view-all",
  listIssued: "view-all",
  createJoinToken: "edit",
  listJoinTokens: "view-all",
  deleteJoinToken: "admin",
  join: "public",
  getStatus: "view",
  getTopology: "view",
  getMetrics: "view-all",
  explain: "view-all",
  checkAccess: "view-all",
  simulate: "view",
  getPrincipal: "view",
  grantAccess: "admin",
  listAccess: "admin",
  revokeAccess: "admin",
  listAudit: "view-all",
  readAuditChain: "admin",
};

/** An operation that a request asks for. */
export interface Operation {
  readonly need: Need;
  /** Of the path; `null` when it has none. */
  readonly namespace: string | null;
}

/** The operation of a request; `null` when the API has none. HEAD is GET. */
export function operationOf(app: OpenAPIHono<AdminEnv>, asked: string, path: string): Operation | null {
  const method = asked === "HEAD" ? "get" : asked.toLowerCase();
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type !== "route") continue;
    const { route } = definition;
    if (route.method !== method || !fits(route.path, path)) continue;
    return { need: NEEDS[route.operationId ?? ""] ?? "admin", namespace: namespaceIn(route.path, path) };
  }
  return null;
}

/** Whether a path is one of a template's, `/services/{namespace}/{name}`. */
export function fits(template: string, path: string): boolean {
  const wanted = template.split("/");
  const steps = path.split("/");
  return (
    wanted.length === steps.length &&
    wanted.every((step, index) => (step.startsWith("{") ? steps[index] !== "" : step === steps[index]))
  );
}

/** As it is written: one in another spelling than its own is nobody's namespace, and refused. */
function namespaceIn(template: string, path: string): string | null {
  const at = template.split("/").indexOf("{namespace}");
  return at === -1 ? null : (path.split("/")[at] ?? "");
}

/** Lets a principal pass, or refuses it. */
export function authorize(principal: Principal, { need, namespace }: Operation): void {
  if (!admits(principal, need, namespace)) refuse(principal);
}

/** Refuses a principal that may not read a namespace. */
export function assertView(principal: Principal, namespace: string): void {
  if (!mayView(principal, namespace)) refuse(principal);
}

/** Refuses a principal that may not change a namespace. */
export function assertEdit(principal: Principal, namespace: string): void {
  if (!mayEdit(principal, namespace)) refuse(principal);
}

/** The namespace of `namespace/service-account`; empty, which is nobody's, where there is none. */
export function namespaceOf(workload: string): string {
  return workload.slice(0, Math.max(0, workload.indexOf("/")));
}

function refuse({ id, role, namespaces }: Principal): never {
  const where = namespaces === null ? "" : ` of ${namespaces.join(", ")}`;
  throw new MeshError({
    code: "admin.forbidden",
    detail: `${id} is ${role}${where}, which does not allow this.`,
  });
}
