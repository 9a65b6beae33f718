/**
 * Who may do what at the admin API.
 *
 * @module
 */

/**
 * `viewer` reads, `editor` also changes what belongs to its namespaces,
 * `admin` may do everything. What belongs to no namespace, or to all of them,
 * only an admin changes.
 */
export const ROLES = ["viewer", "editor", "admin"] as const;

export type Role = (typeof ROLES)[number];

/** Who asks, once that is proved. */
export interface Principal {
  /** As revisions and the audit log name it: `admin`, `token/<name>` or `oidc/<subject>`. */
  readonly id: string;
  readonly role: Role;
  /** Where the role counts; `null` is everywhere. An admin's is everywhere, an editor's never. */
  readonly namespaces: readonly string[] | null;
}

/**
 * What an operation asks of its principal:
 * - `public`: nothing;
 * - `view`: to read something: of a namespace in the path, or of those that it may view;
 * - `view-all`: to read what concerns the whole mesh;
 * - `edit`: to change something: of a namespace in the path, or of those that it may edit;
 * - `admin`: to be one.
 */
export type Need = "public" | "view" | "view-all" | "edit" | "admin";

/** Whether a principal may do what an operation needs; `namespace` is the one in its path, `null` without one. */
export function admits(principal: Principal, need: Need, namespace: string | null): boolean {
  switch (need) {
    case "public":
      return true;
    case "view":
      return namespace === null || mayView(principal, namespace);
    case "view-all":
      return principal.namespaces === null;
    case "edit":
      return namespace === null ? principal.role !== "viewer" : mayEdit(principal, namespace);
    case "admin":
      return principal.role === "admin";
  }
}

/** Whether a principal may read what belongs to a namespace; what belongs to none is everybody's to read. */
export function mayView({ namespaces }: Principal, namespace: string): boolean {
  return namespaces === null || namespace === "" || namespaces.includes(namespace);
}

/** Whether a principal may change what belongs to a namespace; the empty one is the whole mesh's. */
export function mayEdit({ role, namespaces }: Principal, namespace: string): boolean {
  if (role === "admin") return true;
  return role === "editor" && namespaces !== null && namespaces.includes(namespace);
}
