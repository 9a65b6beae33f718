import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { applyRequest } from "../../shared/wire/admin.ts";
import { cli, type Ran } from "../cli/cli-kit.ts";
import { startMesh } from "./bookinfo.ts";

const TOKEN = "command-line";

const CONFIGURATION = `
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Service
metadata: { name: reviews }
spec:
  selector: { app: reviews }
  ports: [{ name: http, port: 80 }]
---
apiVersion: selvedge.dev/v1
kind: Endpoint
metadata: { name: reviews-v1, labels: { app: reviews, version: v1 } }
spec: { address: "https://origin.example" }
`;

/** Runs command lines against a mesh of its own, one after the other. */
async function withMesh(): Promise<(args: string, input?: string) => Promise<Ran>> {
  const { url } = await startMesh({ adminToken: TOKEN });
  const env = { SELVEDGE_SERVER: url, SELVEDGE_ADMIN_TOKEN: TOKEN };
  return (args, input = "") => cli(args.split(" "), { env, input });
}

test("configuration goes in, is changed, compared, taken back and deleted", async () => {
  const selvedge = await withMesh();
  const changed = CONFIGURATION.replace("port: 80", "port: 81");

  expect(await selvedge("apply -n shop -f -", CONFIGURATION)).toEqual({
    code: 0,
    out: "namespace/shop created\nservice/reviews created\nendpoint.selvedge.dev/reviews-v1 created\n",
    err: "Revision 1 is in force.\n",
  });
  expect(await selvedge("diff -n shop -f -", CONFIGURATION)).toEqual({ code: 0, out: "", err: "" });
  expect((await selvedge("diff -n shop -f -", changed)).code).toBe(1);
  expect((await selvedge("apply -n shop --dry-run -f -", changed)).out).toContain(
    "reviews configured (dry run)",
  );
  expect((await selvedge("apply -n shop --if-revision 7 -f -", changed)).code).toBe(1);
  expect((await selvedge("apply -n shop --if-revision 1 -f -", changed)).err).toBe(
    "Revision 2 is in force.\n",
  );
  expect((await selvedge("diff 1 2")).code).toBe(1);
  expect(await selvedge("rollback")).toEqual({
    code: 0,
    out: "service/reviews configured\n",
    err: "Revision 3 has the content of revision 1.\n",
  });
  expect((await selvedge("diff 1 3")).code).toBe(0);

  const stored = await selvedge("get svc reviews -n shop -o yaml");
  expect((await selvedge("apply -f -", stored.out)).out).toBe("service/reviews unchanged\n");
  expect((await selvedge("describe svc/reviews -n shop")).out).toMatch(/^ {2}reviews-v1 .*healthy$/m);
  expect((await selvedge("services")).out).toMatch(/^shop +reviews +80 +1\/1 +v1$/m);
  expect((await selvedge("status")).out).toMatch(/^Revision: +3$/m);
  expect((await selvedge("token --as shop/web")).out).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  expect(await selvedge("topology")).toMatchObject({
    code: 0,
    out: "",
    err: expect.stringContaining("No calls"),
  });

  expect((await selvedge("delete -n shop -f -", CONFIGURATION)).code).toBe(0);
  expect((await selvedge("get svc/reviews -n shop")).code).toBe(3);
  expect((await selvedge("get all -A")).err).toBe("No resources found in the mesh.\n");
});

test("a file with errors changes nothing and tells all of them", async () => {
  const selvedge = await withMesh();
  const broken = CONFIGURATION.replace("port: 80", "port: eighty").replace("selector:", "selectors:");
  const ran = await selvedge("apply -n shop -f -", broken);
  expect(ran).toMatchObject({ code: 1, out: "" });
  expect(ran.err).toMatch(/Service shop\/reviews: spec\.selectors/);
  expect(ran.err).toMatch(/Service shop\/reviews: spec\.ports\[0\]\.port/);
  expect((await selvedge("status")).out).toMatch(/^Revision: +0$/m);
});

test("the example of the page on the admin API is answered as the page says", async () => {
  const selvedge = await withMesh();
  const page = await readFile(new URL("../../docs/admin-api.md", import.meta.url), "utf8");
  const { documents } = applyRequest.parse(
    JSON.parse(/api\/v1\/apply .*? -d '(.*?)'/s.exec(page)?.[1] ?? ""),
  );
  const ran = await selvedge("apply -n shop -f -", JSON.stringify(documents[0]));
  expect(ran).toMatchObject({ code: 0, out: "service/reviews created\n" });
});
