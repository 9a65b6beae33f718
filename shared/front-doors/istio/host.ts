/**
 * Hosts as Istio writes them, and the services that they name.
 *
 * @module
 */

/** A service of the mesh, or of a ServiceEntry. */
export interface ServiceName {
  readonly namespace: string;
  readonly name: string;
}

/** Kubernetes' and the mesh's own suffixes of `service.namespace`. */
const INSIDE = /^([^.]+)\.([^.]+)\.(svc|svc\.cluster\.local|mesh)$/;

/**
 * The service that a host names, seen from a namespace: `reviews` is one of
 * its own, `reviews.shop.svc.cluster.local` one of `shop`. Every other name
 * with a dot is a host of a ServiceEntry in the same namespace, as in Istio,
 * which does not read `reviews.shop` as a service of `shop` either.
 */
export function serviceOf(host: string, namespace: string): ServiceName {
  const [, name, other] = INSIDE.exec(host) ?? [];
  if (name !== undefined && other !== undefined) return { namespace: other, name };
  return { namespace, name: entryService(host) };
}

/** The name of the Service that a ServiceEntry's host becomes: a Service's name has no dots. */
export function entryService(host: string): string {
  return host.replaceAll(".", "-");
}

/** The host names by which a Gateway knows a host: short names stand for Kubernetes' full name. */
export function hostnameOf(host: string, namespace: string): string {
  return host.includes(".") || host === "*" ? host : `${host}.${namespace}.svc.cluster.local`;
}
