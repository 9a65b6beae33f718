/**
 * Which endpoints of a service are to be checked, and how, and by what their
 * outliers are detected.
 *
 * @module
 */
import { reaches, type HealthCheck } from "../engine/health-check.ts";
import type { CheckPlan, OutlierOrder } from "../wire/rpc.ts";
import { addressAt, endpointsOf } from "./compile.ts";
import { endpointId } from "./members.ts";
import { findService, spaceOf, splitName, type Space, type World } from "./state.ts";
import { trafficAt } from "./traffic.ts";

/** One object checks six at a time: with more endpoints a round of checks may last longer than is useful. */
const MANY_TARGETS = 200;

/** What to check of a service (`namespace/name`); `null` when there is nothing. */
export function checkPlan(world: World, service: string): CheckPlan | null {
  const [namespace, name] = splitName(service);
  const space = spaceOf(world, namespace);
  const check = trafficAt(space, name)?.check ?? null;
  if (check === null || findService(world, service) === undefined) return null;
  const targets = endpointsOf(space, name)
    .filter(({ address }) => reaches(check, address))
    .map((member) => ({ id: endpointId(member, name), address: addressAt(space, name, member) }));
  return targets.length === 0 ? null : { check, targets };
}

/** By what the outcomes of calls to a service (`namespace/name`) are pooled; `null` when they are not. */
export function outlierOrder(world: World, service: string): OutlierOrder | null {
  const [namespace, name] = splitName(service);
  const space = spaceOf(world, namespace);
  const policy = trafficAt(space, name)?.traffic.outlier;
  if (policy === undefined || findService(world, service) === undefined) return null;
  const endpoints = endpointsOf(space, name).map((member) => endpointId(member, name));
  return endpoints.length === 0 ? null : { policy, endpoints };
}

/** What a check of a service asks that is not done, or not soon. */
export function inspectCheck(space: Space, service: string, check: HealthCheck): string[] {
  const members = endpointsOf(space, service);
  const without = members.filter(({ address }) => !reaches(check, address));
  const hasHost = check.probe.kind === "http" && check.probe.host !== null;
  const deaf = hasHost ? members.filter(({ address }) => address.kind === "origin") : [];
  const texts = [
    ...without.map(
      (member) => `TCP is not checked at ${endpointId(member, service)}, a Worker without ports: use HTTP`,
    ),
    ...deaf.map(
      (member) => `host is not seen by ${endpointId(member, service)}: an origin sees that of its address`,
    ),
    ...(members.length > MANY_TARGETS
      ? [
          `Service ${service} has ${members.length} endpoints, which are checked six at a time: rounds may be late`,
        ]
      : []),
  ];
  return texts.map((text) => `its healthCheck: ${text}`);
}
