/**
 * All scenarios, by name.
 *
 * @module
 */
import type { Scenario } from "./scenario.ts";
import { everyFault } from "./scenarios/every-fault.ts";
import { killedEndpoints } from "./scenarios/killed-endpoints.ts";
import { lostWrites } from "./scenarios/lost-writes.ts";
import { memory } from "./scenarios/memory.ts";
import { openStreams } from "./scenarios/open-streams.ts";
import { propagation } from "./scenarios/propagation.ts";
import { rateLimit } from "./scenarios/rate-limit.ts";
import { registryCrawls, registryRefuses, registryStalls } from "./scenarios/registry-out.ts";
import { revocation } from "./scenarios/revocation.ts";
import { rotation } from "./scenarios/rotation.ts";
import { slowReplica } from "./scenarios/slow-replica.ts";
import { steadyState } from "./scenarios/steady-state.ts";
import { threeEndpoints } from "./scenarios/three-endpoints.ts";
import { halfOpen, retryStorm } from "./scenarios/total-failure.ts";

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  "three-endpoints": threeEndpoints,
  "killed-endpoints": killedEndpoints,
  "every-fault": everyFault,
  "slow-replica": slowReplica,
  "registry-refuses": registryRefuses,
  "registry-stalls": registryStalls,
  "registry-crawls": registryCrawls,
  "retry-storm": retryStorm,
  "half-open": halfOpen,
  "rate-limit-10": rateLimit(10),
  "rate-limit-100": rateLimit(100),
  "rate-limit-1000": rateLimit(1_000),
  "lost-writes": lostWrites,
  propagation,
  revocation,
  "open-streams": openStreams,
  rotation,
  memory,
  "steady-state": steadyState,
};
