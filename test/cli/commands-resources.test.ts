import { describe, expect, test } from "vitest";
import { kindsOf } from "../../shared/wire/resources/kinds.ts";
import { against, CREATED, ENDPOINT, ref, REVIEWS, SHOP } from "./commands-kit.ts";

describe("apply", () => {
  const answer = {
    revision: 7,
    changes: [
      { ref: ref("Service", "reviews"), change: "unchanged" },
      { ref: ref("HTTPRoute", "reviews"), change: "configured" },
    ],
    warnings: ["HTTPRoute shop/reviews: there is no Service ratings"],
  };
  const lines = "service/reviews unchanged\nhttproute.gateway.networking.k8s.io/reviews configured\n";
  const warning = "Warning: HTTPRoute shop/reviews: there is no Service ratings\n";

  test("sends every document and prints what kubectl would", async () => {
    const ran = await against(
      { "POST /api/v1/apply": answer },
      ["apply", "-n", "shop", "-f", "-"],
      "a: 1\n---\nb: 2\n",
    );
    expect(ran).toEqual({
      code: 0,
      out: lines,
      err: `${warning}Revision 7 is in force.\n`,
      heard: [["POST /api/v1/apply", { documents: [{ a: 1 }, { b: 2 }], defaultNamespace: "shop" }]],
    });
  });

  test("in the default namespace, dry, on a revision", async () => {
    const args = ["apply", "-f", "-", "--dry-run", "--if-revision", "6"];
    const ran = await against({ "POST /api/v1/apply": answer }, args, "a: 1\n");
    expect(ran).toMatchObject({
      code: 0,
      out: lines.replaceAll("\n", " (dry run)\n"),
      err: warning,
      heard: [
        [
          "POST /api/v1/apply",
          { documents: [{ a: 1 }], defaultNamespace: "default", dryRun: true, ifRevision: 6 },
        ],
      ],
    });
  });

  test("prunes what the files do not have", async () => {
    const ran = await against({ "POST /api/v1/apply": answer }, ["apply", "-f", "-", "--prune"], "a: 1\n");
    const body = { documents: [{ a: 1 }], defaultNamespace: "default", prune: true };
    expect(ran.heard).toEqual([["POST /api/v1/apply", body]]);
  });

  test("sends nothing when a file cannot be read", async () => {
    expect(await against({}, ["apply", "-f", "-"], "a: [")).toMatchObject({ code: 1, out: "", heard: [] });
  });
});

describe("get", () => {
  const services = { "GET /api/v1/resources?kind=Service&namespace=default": { items: [REVIEWS] } };

  test.each([
    ["table", "NAME      PORTS   SELECTOR      AGE\nreviews   80      app=reviews   3h\n"],
    [
      "wide",
      "NAME      PORTS   SELECTOR      AGE   GENERATION   LABELS\nreviews   80      app=reviews   3h    2\n",
    ],
    ["name", "service/reviews\n"],
  ])("a kind by its short name, as %s", async (format, out) => {
    const ran = await against(services, ["get", "svc", "-o", format]);
    expect(ran).toMatchObject({ code: 0, out, err: "" });
  });

  test("a list as a document that can be applied again", async () => {
    const ran = await against(services, ["get", "service", "-o", "json"]);
    const { labels: _, annotations: _none, ...metadata } = REVIEWS.metadata;
    expect(JSON.parse(ran.out)).toEqual({
      apiVersion: "v1",
      kind: "List",
      items: [{ ...REVIEWS, metadata }],
    });
  });

  test("one resource as YAML", async () => {
    const ran = await against({ "GET /api/v1/resources/Namespace/-/shop": SHOP }, [
      "get",
      "ns",
      "shop",
      "-o",
      "yaml",
    ]);
    expect(ran.out).toBe(
      `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n  uid: u\n  generation: 2\n  creationTimestamp: "${CREATED}"\nspec: {}\n`,
    );
  });

  test("all namespaces, with the namespace in front", async () => {
    const ran = await against({ "GET /api/v1/resources?kind=Endpoint": { items: [ENDPOINT] } }, [
      "get",
      "ep",
      "-A",
    ]);
    expect(ran.out).toBe(
      "NAMESPACE   NAME         ADDRESS           VERSION   WEIGHT   AGE\nshop        reviews-v1   binding:REVIEWS   v1        1        3h\n",
    );
  });

  test("several kinds, each with its table", async () => {
    const answers = {
      "GET /api/v1/resources?kind=Service&namespace=shop": { items: [REVIEWS] },
      "GET /api/v1/resources?kind=Endpoint&namespace=shop": { items: [ENDPOINT] },
      "GET /api/v1/resources?kind=Gateway&namespace=shop": { items: [] },
    };
    const ran = await against(answers, ["get", "svc,ep,gateways", "-n", "shop"]);
    expect(ran.out).toBe(
      "NAME              PORTS   SELECTOR      AGE\nservice/reviews   80      app=reviews   3h\n\n" +
        "NAME                               ADDRESS           VERSION   WEIGHT   AGE\n" +
        "endpoint.selvedge.dev/reviews-v1   binding:REVIEWS   v1        1        3h\n",
    );
  });

  test("all, which are the kinds that live in a namespace", async () => {
    const lines = kindsOf().map(({ kind }) => `GET /api/v1/resources?kind=${kind}&namespace=default`);
    const ran = await against(Object.fromEntries(lines.map((line) => [line, { items: [] }])), ["get", "all"]);
    const kinds = ran.heard.map((line) => /kind=(\w+)&namespace=default$/.exec(String(line))?.[1]);
    expect(kinds.sort()).toEqual(
      kindsOf()
        .filter(({ isNamespaced }) => isNamespaced)
        .map(({ kind }) => kind)
        .sort(),
    );
  });

  test("nothing there is told on standard error, and no failure", async () => {
    const answers = { "GET /api/v1/resources?kind=Gateway&namespace=shop": { items: [] } };
    const ran = await against(answers, ["get", "gtw", "-n", "shop"]);
    expect(ran).toMatchObject({ code: 0, out: "", err: "No resources found in namespace shop.\n" });
  });

  test("a name that is not there is a failure", async () => {
    expect(await against({}, ["get", "svc/nothing", "-n", "shop"])).toMatchObject({ code: 3, out: "" });
  });
});

describe("describe", () => {
  test("a service with its endpoints and its changes", async () => {
    const endpoint = {
      id: "reviews-v1",
      address: "binding:R",
      version: "v1",
      weight: 1,
      health: "healthy",
      isEjected: false,
      source: "declared",
    };
    const change = { ref: ref("Service", "reviews"), change: "created" };
    const other = { ref: ref("Service", "ratings"), change: "created" };
    const answers = {
      "GET /api/v1/resources/Service/shop/reviews": REVIEWS,
      "GET /api/v1/services/shop/reviews": {
        namespace: "shop",
        name: "reviews",
        ports: [],
        endpoints: [endpoint, { ...endpoint, id: "reviews-v2", isEjected: true }],
      },
      "GET /api/v1/revisions?limit=200": {
        items: [
          { revision: 2, at: 0, author: "admin", reason: "apply", changes: [other] },
          { revision: 1, at: 0, author: "admin", reason: "apply", changes: [other, change] },
        ],
      },
    };
    const ran = await against(answers, ["describe", "svc", "reviews", "-n", "shop"]);
    expect(ran.out).toBe(
      [
        "Name:          reviews",
        "Namespace:     shop",
        "Kind:          service",
        `Created:       ${CREATED}`,
        "Generation:    2",
        "Specification:",
        "  ports:",
        "    - name: http",
        "      port: 80",
        "  selector:",
        "    app: reviews",
        "Endpoints:",
        "  ENDPOINT     ADDRESS     VERSION   WEIGHT   SOURCE     HEALTH",
        "  reviews-v1   binding:R   v1        1        declared   healthy",
        "  reviews-v2   binding:R   v1        1        declared   ejected",
        "Changes:",
        "  REVISION   CHANGE    AUTHOR   AT",
        "  1          created   admin    1970-01-01T00:00:00.000Z",
        "",
      ].join("\n"),
    );
  });
});

describe("delete", () => {
  const refs = [ref("HTTPRoute", "a"), ref("HTTPRoute", "b")];
  const answer = {
    revision: 8,
    changes: refs.map((ref) => ({ ref, change: "deleted" })),
    warnings: ["left alone"],
  };

  test.each([
    ["by kind and names", ["delete", "httproute", "a", "b"], ""],
    ["by pairs", ["delete", "httproutes/a", "HTTPRoute/b"], ""],
    [
      "by file, whether valid or not",
      ["delete", "-f", "-"],
      "kind: List\nitems: [{kind: HTTPRoute, metadata: {name: a}, spec: nonsense}]\n---\nkind: HTTPRoute\nmetadata: {name: b, namespace: shop}\n",
    ],
  ])("%s", async (_, args, input) => {
    const ran = await against({ "POST /api/v1/delete": answer }, [...args, "-n", "shop"], input);
    expect(ran).toEqual({
      code: 0,
      out: 'httproute.gateway.networking.k8s.io "a" deleted\nhttproute.gateway.networking.k8s.io "b" deleted\n',
      err: "Warning: left alone\n",
      heard: [["POST /api/v1/delete", { refs }]],
    });
  });

  test("leaves out what does not exist, when told so", async () => {
    const answers = { "POST /api/v1/delete": answer, "GET /api/v1/resources/Service/shop/reviews": REVIEWS };
    const ran = await against(answers, [
      "delete",
      "svc",
      "reviews",
      "gone",
      "-n",
      "shop",
      "--ignore-not-found",
    ]);
    expect(ran.code).toBe(0);
    expect(ran.heard.at(-1)).toEqual(["POST /api/v1/delete", { refs: [ref("Service", "reviews")] }]);
  });

  test("asks for nothing when nothing is left", async () => {
    const ran = await against({}, ["delete", "svc", "gone", "-n", "shop", "--ignore-not-found"]);
    expect(ran).toMatchObject({ code: 0, out: "", heard: ["GET /api/v1/resources/Service/shop/gone"] });
  });
});
