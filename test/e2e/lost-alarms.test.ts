import { expect, onTestFinished, test } from "vitest";
import { API_PREFIX, serviceStatus } from "../../shared/wire/admin.ts";
import { failing, WELL } from "../chaos/behavior.ts";
import { NAMESPACE, web } from "../chaos/documents.ts";
import { type Fleet, startFleet } from "../chaos/fleet.ts";
import { startUpstreams } from "../chaos/upstreams.ts";
import { until } from "./http-client.ts";
import { stateDir } from "./state-dir.ts";

const CHECK = {
  healthCheck: { interval: "1s", jitter: "0s", timeout: "500ms", unhealthyThreshold: 1, healthyThreshold: 1 },
};

/** An endpoint that registers and leaves: the health object is entered by it. */
const ENTRY = `${API_PREFIX}/services/${NAMESPACE}/web/endpoints/c`;

/** Long enough for three checks that do not take place. */
const LOST_MS = 3_500;

test("checks whose alarms are lost neither kill nor resurrect, and go on at the next entry", async () => {
  const upstreams = await startUpstreams(["a", "b"], 1);
  onTestFinished(() => upstreams.stop());
  const fleet = await startFleet({ isolates: 0, stateDir: stateDir() });
  onTestFinished(() => fleet.stop());
  await fleet.apply(web(upstreams, CHECK));
  await upstreams.behave("b", failing(503));
  await until(() => health(fleet), isEqual("a healthy, b unhealthy"));

  await fleet.objects.break("HealthObject", { kind: "lose-alarms" });
  await upstreams.behave("a", failing(503));
  await upstreams.behave("b", WELL);
  const seen = new Set<string>();
  const end = performance.now() + LOST_MS;
  while (performance.now() < end) seen.add(await health(fleet));
  await fleet.objects.mend("HealthObject");
  const lease = { address: upstreams.urlOf("a"), ttlSeconds: 3_600 };
  await fleet.admin("PUT", ENTRY, lease);
  await fleet.admin("DELETE", ENTRY);

  expect([...seen]).toEqual(["a healthy, b unhealthy"]);
  expect(await until(() => health(fleet), isEqual("a unhealthy, b healthy"))).toBe("a unhealthy, b healthy");
});

const isEqual =
  (wanted: string) =>
  (text: string): boolean =>
    text === wanted;

async function health({ client }: Fleet): Promise<string> {
  const { endpoints } = await client.call({ path: `/services/${NAMESPACE}/web`, answer: serviceStatus });
  return endpoints.map(({ id, health }) => `${id} ${health}`).join(", ");
}
