import { expect, test } from "vitest";
import { findKind, kindsOf } from "../../../shared/wire/resources/kinds.ts";
import { documentSchemas } from "../../../shared/wire/resources/schemas.ts";

test.each([
  ["HTTPRoute", "HTTPRoute"],
  ["httproute", "HTTPRoute"],
  ["httproutes", "HTTPRoute"],
  ["svc", "Service"],
  ["SVC", "Service"],
  ["ep", "Endpoint"],
  ["gtw", "Gateway"],
  ["ap", "AuthorizationPolicy"],
  ["peerauthentications", "PeerAuthentication"],
  ["ns", "Namespace"],
  ["vs", "VirtualService"],
  ["dr", "DestinationRule"],
  ["gw", "IstioGateway"],
  ["serviceintentions", "ServiceIntentions"],
  ["", undefined],
  ["pods", undefined],
])("%j means %j", (name, kind) => {
  expect(findKind(name)?.kind).toBe(kind);
});

test("no two kinds share a name, and each has a schema", () => {
  // Some kinds are their own plural.
  const names = kindsOf().flatMap(({ kind, plural, shortNames }) => [
    ...new Set([kind.toLowerCase(), plural, ...shortNames]),
  ]);
  expect(names.toSorted()).toEqual([...new Set(names)].toSorted());
  expect(kindsOf().map(({ kind }) => kind)).toEqual(Object.keys(documentSchemas));
});
