import { expect, test } from "vitest";
import { sample, startBookinfo } from "./bookinfo.ts";
import { inTurns, until } from "./http-client.ts";

test("the page shows details and reviews, by all three versions in turn", async () => {
  const bookinfo = await startBookinfo();

  const answers = await inTurns(40, 4, () => bookinfo.page("/productpage"));

  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(answers.every(({ body }) => body.includes("William Shakespeare"))).toBe(true);
  const versions = answers.map(({ body }) => /<span class="tag">(.*?)<\/span>/.exec(body)?.[1]);
  expect(new Set(versions)).toEqual(new Set(["reviews-v1", "reviews-v2", "reviews-v3"]));
});

test("versions differ in their stars", async () => {
  const bookinfo = await startBookinfo();

  const answers = await inTurns(40, 4, () => bookinfo.page("/productpage"));

  const looks = answers.map(({ body }) => {
    const version = /<span class="tag">(.*?)<\/span>/.exec(body)?.[1] ?? "";
    const stars = [...body.matchAll(/class="stars (\w+)"[^>]*aria-label="(\d) of 5 stars"/g)];
    return [version, ...stars.map(([, color, count]) => `${count} ${color}`)].join(", ");
  });
  expect(new Set(looks)).toEqual(
    new Set(["reviews-v1", "reviews-v2, 5 black, 4 black", "reviews-v3, 5 red, 4 red"]),
  );
});

test("ratings come from the Worker and from the server outside", async () => {
  const bookinfo = await startBookinfo();
  const token = await bookinfo.token("reviews");

  const answers = await inTurns(40, 4, () => bookinfo.call("ratings", "/ratings/0", token));

  expect(new Set(answers.map(({ headers }) => headers["x-served-by"]))).toEqual(
    new Set(["ratings-v1", "ratings-v2"]),
  );
  expect(new Set(answers.map(({ body }) => body))).toEqual(
    new Set(['{"id":0,"ratings":{"Reviewer1":5,"Reviewer2":4}}']),
  );
});

test("the page tells how it came", async () => {
  const bookinfo = await startBookinfo();

  const { body } = await bookinfo.page("/productpage", {
    headers: {
      "x-request-id": "0123456789abcdef0123456789abcdef",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    },
  });

  expect(body).toContain("selvedge.local/ns/bookinfo/sa/bookinfo-gateway");
  expect(body).toContain("<code>0123456789abcdef0123456789abcdef</code>");
  expect(body).toContain("<code>0af7651916cd43dd8448eb211c80319c</code>");
});

test("signs in and out", async () => {
  const bookinfo = await startBookinfo();

  const login = await bookinfo.page("/login", {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: "username=jason&passwd=any",
  });
  const cookie = login.headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
  const page = await bookinfo.page("/productpage", { headers: { cookie } });
  const logout = await bookinfo.page("/logout", { headers: { cookie } });

  expect([login.status, login.headers.location, cookie]).toEqual([303, "/productpage", "user=jason"]);
  expect(page.body).toContain("Signed in as <strong>jason</strong>");
  expect([logout.status, logout.headers["set-cookie"]?.[0]]).toEqual([
    303,
    "user=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0",
  ]);
});

test.each([
  ["/api/v1/products", 200, '"title":"The Comedy of Errors"'],
  ["/api/v1/products/0", 200, '"author":"William Shakespeare"'],
  ["/api/v1/products/0/reviews", 200, '"reviewer":"Reviewer2"'],
  ["/api/v1/products/0/ratings", 200, '"ratings":{"Reviewer1":5,"Reviewer2":4}'],
  ["/api/v1/products/x", 400, "currently unavailable"],
  ["/static/bookinfo.css", 200, "color-scheme"],
  ["/static/other.css", 404, "not found"],
  ["/health", 404, "route.none"],
])("%s answers %i", async (path, status, text) => {
  const bookinfo = await startBookinfo();

  const answer = await bookinfo.page(path);

  expect(answer.status).toBe(status);
  expect(answer.body).toContain(text);
});

test("a service by its name in the mesh: for its callers, and for nobody else", async () => {
  const bookinfo = await startBookinfo();
  const [productpage, details] = [await bookinfo.token("productpage"), await bookinfo.token("details")];

  const answers = await Promise.all([
    bookinfo.call("reviews", "/reviews/0", productpage),
    bookinfo.call("reviews", "/reviews/0", details),
    bookinfo.call("reviews", "/reviews/0", null),
    bookinfo.call("reviews", "/reviews/0", "not a token"),
    bookinfo.call("reviews", "/reviews/0", `${productpage.slice(0, -8)}AAAAAAAA`),
    bookinfo.call("nobody", "/", productpage),
  ]);

  expect(answers.map(({ status }) => status)).toEqual([200, 403, 401, 401, 401, 421]);
});

test("a policy that denies ratings to reviews leaves the page without stars", async () => {
  const bookinfo = await startBookinfo();
  const token = await bookinfo.token("reviews");
  await bookinfo.apply(sample("deny-ratings.yaml"));

  const denied = await until(
    () => bookinfo.call("ratings", "/ratings/0", token),
    ({ status }) => status === 403,
  );
  const page = await until(
    () => bookinfo.page("/productpage"),
    ({ body }) => body.includes("Ratings service is currently unavailable"),
  );

  expect([denied.status, denied.headers["proxy-status"]]).toEqual([
    403,
    'selvedge; error=http_request_denied; details="authz.rule"',
  ]);
  expect(page.status).toBe(200);
  expect(page.body).toContain("Reviewer1");
  expect(page.body).toContain("William Shakespeare");
});
