import { expect, test } from "vitest";
import { type Ran, cli } from "../cli/cli-kit.ts";
import { startMesh } from "./bookinfo.ts";

const TOKEN = "canary";

const CONFIGURATION = `
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Service
metadata: { name: v1, namespace: shop }
spec: { ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: v2, namespace: shop }
spec: { ports: [{ port: 80 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web, namespace: shop, labels: { team: web } }
spec:
  parentRefs: [{ group: "", kind: Service, name: v1 }]
  rules:
    - name: all
      backendRefs: [{ name: v1, port: 80, weight: 100 }, { name: v2, port: 80, weight: 0 }]
`;

async function withRoute(): Promise<(args: string, input?: string) => Promise<Ran>> {
  const { url } = await startMesh({ adminToken: TOKEN });
  const env = { SELVEDGE_SERVER: url, SELVEDGE_ADMIN_TOKEN: TOKEN };
  const selvedge = (args: string, input = ""): Promise<Ran> =>
    cli([...args.split(" "), "-n", "shop"], { env, input });
  expect((await selvedge("apply -f -", CONFIGURATION)).code).toBe(0);
  return selvedge;
}

/** `v1:80 100% 80%`: what each backend had and has. */
function steps({ out }: Ran): readonly string[] {
  return out
    .split("\n")
    .slice(2, -1)
    .map((line) => line.split(/ +/).slice(1, 4).join(" "));
}

test("a release step by step, aborted after everything went to it", async () => {
  const selvedge = await withRoute();

  const set = await selvedge("canary set web --to v2 --weight 20");
  expect(set).toMatchObject({ code: 0, err: expect.stringMatching(/Revision \d+ is in force/) });
  expect(set.out).toContain("httproute.gateway.networking.k8s.io/web configured\n");
  expect(steps(set)).toEqual(["v1:80 100% 80%", "v2:80 0% 20%"]);

  const dry = await selvedge("canary promote web --to v2 --dry-run");
  expect(dry.out).toContain("web configured (dry run)");
  expect(steps(dry)).toEqual(["v1:80 80% 0%", "v2:80 20% 100%"]);

  expect(steps(await selvedge("canary promote httproute/web --to v2"))).toEqual([
    "v1:80 80% 0%",
    "v2:80 20% 100%",
  ]);
  expect((await selvedge("canary status web")).out).toMatch(
    /^all +v1:80 +0 +0% +no calls\nall +v2:80 +100 +100% +no calls\n/m,
  );

  expect(steps(await selvedge("canary abort web --to v2"))).toEqual(["v1:80 0% 100%", "v2:80 100% 0%"]);
  const left = await selvedge("get httproute web -o json");
  expect(JSON.parse(left.out)).toMatchObject({
    metadata: { labels: { team: "web" } },
    spec: { rules: [{ name: "all", backendRefs: [{ weight: 100 }, { weight: 0 }] }] },
  });
});

test("steps that two people take at once are all taken, one after the other", async () => {
  const selvedge = await withRoute();
  const other = CONFIGURATION.slice(0, CONFIGURATION.lastIndexOf("---"));

  const [canary, ...rest] = await Promise.all([
    selvedge("canary set web --to v2 --weight 20"),
    ...[81, 82, 83].map((port) => selvedge("apply -f -", other.replace("port: 80", `port: ${port}`))),
  ]);

  expect([canary.code, ...rest.map(({ code }) => code)]).toEqual([0, 0, 0, 0]);
  expect((await selvedge("canary status web")).out).toMatch(/v2:80 +20 +20%/);
});

test.each([
  ["canary set web --to v3 --weight 20", 2, 'No rule of the route has a backend "v3"'],
  ["canary set web --to v2 --weight 120", 2, "Write a percentage from 0 to 100."],
  ["canary set web --to v2", 2, "--weight"],
  ["canary set other --to v2 --weight 20", 3, "other"],
  ["canary status service/v1", 2, "no rules with weighted backends"],
])("%s ends with %d", async (args, code, message) => {
  const selvedge = await withRoute();

  expect(await selvedge(args)).toMatchObject({ code, out: "", err: expect.stringContaining(message) });
});
