import { expect, test } from "vitest";
import { parse } from "yaml";
import { parseDocuments } from "../../../shared/wire/parse.ts";

const TARGETS = "targetRefs: [{kind: Service, name: a}]";
const FAULTS = "faults: [{abort: {httpStatus: 503, percentage: 10}}]";

function parsePolicy(spec: string) {
  const document: unknown = parse(
    `{apiVersion: selvedge.dev/v1, kind: FaultPolicy, metadata: {name: p}, spec: {${spec}}}`,
  );
  return parseDocuments([document], { defaultNamespace: "shop", allowPrivateEndpoints: false });
}

test("defaults are filled in", () => {
  const result = parsePolicy(
    `${TARGETS}, expiresAfter: 1h, faults: [{delay: {fixed: 1s, percentage: 1}}, {match: {headers: [{name: a, value: b}]}, abort: {grpcStatus: 14, percentage: 100}}]`,
  );
  expect(result).toMatchObject({
    ok: true,
    resources: [
      {
        spec: {
          targetRefs: [{ group: "", kind: "Service", name: "a" }],
          expiresAfter: "1h",
          faults: [
            { match: { headers: [] }, delay: { fixed: "1s", jitter: "0s", percentage: 1 } },
            {
              match: { headers: [{ type: "Exact", name: "a", value: "b" }] },
              abort: { grpcStatus: "14", percentage: 100 },
            },
          ],
        },
      },
    ],
  });
});

const fault = (text: string) => `${TARGETS}, expiresAfter: 1h, faults: [${text}]`;
const ABORT = "abort: {httpStatus: 503, percentage: 10}";

test.each([
  [`${TARGETS}, ${FAULTS}`, "spec.expiresAfter: give either expiresAfter or expiresAt"],
  [
    `${TARGETS}, ${FAULTS}, expiresAfter: 1h, expiresAt: "2026-01-31T12:00:00Z"`,
    "spec.expiresAfter: give either expiresAfter or expiresAt",
  ],
  [`${TARGETS}, ${FAULTS}, expiresAfter: 0s`, "spec.expiresAfter: must be more than zero"],
  [`${TARGETS}, ${FAULTS}, expiresAfter: 1 hour`, "spec.expiresAfter: write a duration"],
  [`${TARGETS}, ${FAULTS}, expiresAt: "2026-01-31"`, "spec.expiresAt: write a time such as"],
  [`${TARGETS}, ${FAULTS}, expiresAt: "2026-13-31T12:00:00Z"`, "spec.expiresAt: write a time such as"],
  [`${FAULTS}, expiresAfter: 1h`, "spec.targetRefs: is required"],
  [
    `targetRefs: [{kind: Gateway, name: a}], ${FAULTS}, expiresAfter: 1h`,
    "spec.targetRefs[0].kind: must be Service or HTTPRoute",
  ],
  [`${TARGETS}, expiresAfter: 1h, faults: []`, "spec.faults: must be at least 1 item"],
  [fault("{}"), "spec.faults[0]: takes delay, abort or both"],
  [fault("{abort: {httpStatus: 503}}"), "spec.faults[0].abort.percentage: is required"],
  [
    fault("{abort: {httpStatus: 503, percentage: 101}}"),
    "spec.faults[0].abort.percentage: must be at most 100",
  ],
  [
    fault("{abort: {httpStatus: 199, percentage: 1}}"),
    "spec.faults[0].abort.httpStatus: must be at least 200",
  ],
  [fault("{abort: {percentage: 1}}"), "spec.faults[0].abort: takes one of httpStatus and grpcStatus"],
  [fault("{abort: {grpcStatus: OK, percentage: 1}}"), "spec.faults[0].abort.grpcStatus: must be 1 to 16"],
  [fault("{delay: {fixed: soon, percentage: 1}}"), "spec.faults[0].delay.fixed: write a duration"],
  [
    fault(`{match: {headers: [{name: a, type: RegularExpression, value: "(?=x)"}]}, ${ABORT}}`),
    "spec.faults[0].match.headers[0].value: is no RE2 expression",
  ],
  [fault(`{match: {headers: [{name: a}]}, ${ABORT}}`), "spec.faults[0].match.headers[0].value: is required"],
  [fault(`{match: {from: [{}]}, ${ABORT}}`), "spec.faults[0].match.from[0]: takes namespaces or principals"],
  [fault(`{match: {path: /a}, ${ABORT}}`), "spec.faults[0].match.path: unknown field"],
])("%s is refused", (spec, refusal) => {
  const result = parsePolicy(spec);
  const texts = result.ok ? [] : result.problems.map(({ path, message }) => `${path}: ${message}`);
  expect(texts).toEqual([expect.stringContaining(`FaultPolicy shop/p: ${refusal}`)]);
});
