/**
 * The names by which callers know services.
 *
 * @module
 */

/** Kubernetes' and the mesh's own suffixes after `service.namespace`. */
const INSIDE = ["mesh", "svc", "svc.cluster.local"];

/**
 * The service, as `namespace/name`, that a host name means inside the mesh:
 * `reviews` (in the caller's own namespace), `reviews.shop`,
 * `reviews.shop.mesh`, `reviews.shop.svc.cluster.local`, or
 * `reviews.shop.<mesh domain>`. `null` for any other name.
 */
export function insideName(host: string, namespace: string, meshDomain: string | null): string | null {
  const [service, other = namespace, ...rest] = host.split(".");
  const suffix = rest.join(".");
  if (service === undefined || service === "") return null;
  const isOurs = suffix === "" || INSIDE.includes(suffix) || suffix === meshDomain;
  return isOurs ? `${other}/${service}` : null;
}

/** The service that a host name means from outside: `reviews.shop.<mesh domain>`. `null` for any other name. */
export function outsideName(host: string, meshDomain: string): string | null {
  const suffix = `.${meshDomain}`;
  if (!host.endsWith(suffix)) return null;
  const [service, namespace, ...rest] = host.slice(0, -suffix.length).split(".");
  return service === undefined || namespace === undefined || rest.length > 0
    ? null
    : `${namespace}/${service}`;
}
