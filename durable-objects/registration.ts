/**
 * Checks what registers itself: the same rules as for a declared Endpoint.
 *
 * @module
 */
import { formatLocality } from "../shared/engine/locality.ts";
import { parseDocuments } from "../shared/wire/parse.ts";
import type { FieldProblem } from "../shared/wire/problem.ts";
import { label } from "../shared/wire/resource.ts";
import type { Registration } from "../shared/wire/rpc.ts";

const MIN_TTL_MS = 5_000;
const MAX_TTL_MS = 3_600_000;

/** Room for an address, a dozen labels and names. All leases of a service (`MAX_LEASES`) fit one row of 2 MB. */
const MAX_REGISTRATION_BYTES = 1_500;

/** Every problem of a registration for a service (`namespace/name`), by the registration's own field names. */
export function checkRegistration(
  service: string,
  registration: Registration,
  allowPrivateEndpoints: boolean,
): FieldProblem[] {
  return [
    ...checkService(service),
    ...checkEndpoint(service, registration, allowPrivateEndpoints),
    ...checkTtl(registration.ttlMs),
    ...checkSize(registration),
  ];
}

/** Only the fields of the contract, whatever else came along. */
export function pickRegistration(registration: Registration): Registration {
  const { id, address, labels, weight, serviceAccount, isJoined, ttlMs, locality } = registration;
  const picked = { id, address, labels, weight, serviceAccount, isJoined, ttlMs };
  if (locality === undefined) return picked;
  return { ...picked, locality: { region: locality.region, zone: locality.zone } };
}

function checkService(service: string): FieldProblem[] {
  const parts = service.split("/");
  const isName = parts.length === 2 && parts.every((part) => label.safeParse(part).success);
  return isName ? [] : [{ path: "service", message: "write <namespace>/<name>, both in lower case" }];
}

function checkEndpoint(
  service: string,
  registration: Registration,
  isPrivateAllowed: boolean,
): FieldProblem[] {
  const { id, address, labels, weight, serviceAccount, isJoined, locality } = registration;
  const namespace = service.slice(0, Math.max(service.indexOf("/"), 0));
  const document = {
    apiVersion: "selvedge.dev/v1",
    kind: "Endpoint",
    metadata: { name: id, namespace, labels },
    spec: {
      address,
      weight,
      joined: isJoined,
      ...(serviceAccount === null ? {} : { serviceAccount }),
      ...(locality === undefined ? {} : { locality: formatLocality(locality) }),
    },
  };
  const parsed = parseDocuments([document], { allowPrivateEndpoints: isPrivateAllowed });
  if (parsed.ok) return [];
  return parsed.problems
    .map(({ path, message }) => ({ path: toField(path), message }))
    .filter(({ path }) => path !== "namespace");
}

/** From the path in the document, `Endpoint shop/a: spec.address`, to the registration's field. */
function toField(path: string): string {
  const field = path.slice(path.indexOf(": ") + 2).replace(/^(spec|metadata)\./, "");
  const names: Readonly<Record<string, string>> = { name: "id", joined: "isJoined" };
  return names[field] ?? field;
}

function checkTtl(ttlMs: number): FieldProblem[] {
  if (Number.isInteger(ttlMs) && ttlMs >= MIN_TTL_MS && ttlMs <= MAX_TTL_MS) return [];
  return [{ path: "ttlMs", message: `write a whole number from ${MIN_TTL_MS} to ${MAX_TTL_MS}` }];
}

function checkSize(registration: Registration): FieldProblem[] {
  const bytes = new TextEncoder().encode(JSON.stringify(registration)).length;
  if (bytes <= MAX_REGISTRATION_BYTES) return [];
  const message = `the registration has ${bytes} bytes of at most ${MAX_REGISTRATION_BYTES}; use fewer or shorter labels`;
  return [{ path: "labels", message }];
}
