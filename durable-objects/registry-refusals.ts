/**
 * What the registry answers when it does not do what it is asked.
 *
 * @module
 */
import { fail, type FieldProblem, type Outcome } from "../shared/wire/problem.ts";
import type { ResourceRef } from "../shared/wire/resource.ts";
import { KEPT_REVISIONS } from "./registry-store.ts";

/** Documents that cannot be taken, each with its remedy. */
export function invalid(fields: readonly FieldProblem[]): Outcome<never> {
  const detail = `Nothing was changed. Correct ${fields.length === 1 ? "this field" : "these fields"} and apply again.`;
  return fail({ code: "config.invalid", detail, fields });
}

/** Documents that are not for whoever brings them. */
export function forbidden(fields: readonly FieldProblem[]): Outcome<never> {
  return fail({ code: "admin.forbidden", detail: "Nothing was changed; see fields.", fields });
}

/** Resources that do not exist. */
export function notFound(refs: readonly ResourceRef[]): Outcome<never> {
  const names = refs.map(
    ({ kind, namespace, name }) => `${kind} ${namespace === "" ? "" : `${namespace}/`}${name}`,
  );
  return fail({ code: "resource.not_found", detail: `There is no ${names.join(", no ")}.` });
}

/** A revision that is not kept. */
export function unknownRevision(revision: number): Outcome<never> {
  const detail = `Revision ${revision} is not known; those of the last 30 days are, and the newest ${KEPT_REVISIONS}.`;
  return fail({ code: "resource.not_found", detail });
}
