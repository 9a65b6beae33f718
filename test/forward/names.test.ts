import { expect, test } from "vitest";
import { insideName, outsideName } from "../../shared/forward/names.ts";

test.each([
  ["reviews", "shop/reviews"],
  ["reviews.other", "other/reviews"],
  ["reviews.other.mesh", "other/reviews"],
  ["reviews.other.svc", "other/reviews"],
  ["reviews.other.svc.cluster.local", "other/reviews"],
  ["reviews.other.mesh.example", "other/reviews"],
  ["reviews.other.com.example", null],
  ["reviews.other.mesh.evil", null],
  ["www.example.com", null],
  ["127.0.0.1", null],
  ["[::1]", "shop/[::1]"],
])("inside, %s means %s", (host, service) => {
  expect(insideName(host, "shop", "mesh.example")).toBe(service);
});

test.each([
  ["reviews.other.mesh.example", "other/reviews"],
  ["reviews.mesh.example", null],
  ["a.reviews.other.mesh.example", null],
  ["mesh.example", null],
  ["reviews.other.notmesh.example", null],
  ["reviews.other", null],
])("outside, %s means %s", (host, service) => {
  expect(outsideName(host, "mesh.example")).toBe(service);
});
