/** Host names that one reader could take for another. */
import { type Attack, DOOR, get, ROLES, VAULT } from "./attack.ts";

/** Nothing was proved, so a name of the vault leads to its guard. */
const ASKED = ["401 authn.missing"];
const REFUSED = ["400 host.invalid", "400"];
const UNKNOWN = ["421 host.unknown"];

/** Characters at which some URL parser ends a host or begins another. */
const CUTS = [..."@/\\#?,; %\"<>{}|^`'()&=+$!*~[]\t"];

const NAMES: Readonly<Record<string, readonly string[]>> = {
  "VAULT.Fort.MESH.LocalHost": ASKED,
  [`${VAULT}.`]: ASKED,
  [`${VAULT}:80`]: ASKED,
  [`${VAULT}:443`]: [...ASKED, "421 host.unknown", "404 route.none"],
  [`${VAULT}.:80`]: ASKED,
  [`${VAULT}..`]: REFUSED,
  [`.${VAULT}`]: REFUSED,
  "vault..fort.mesh.localhost": REFUSED,
  [`${VAULT}:`]: [...REFUSED, ...ASKED],
  [`${VAULT}:0`]: REFUSED,
  [`${VAULT}:65536`]: REFUSED,
  [`${VAULT}:-1`]: REFUSED,
  [`${VAULT}:0x50`]: REFUSED,
  [`${VAULT}:80:80`]: REFUSED,
  [`${VAULT}:80@evil.test`]: REFUSED,
  "": [...REFUSED, "421 host.unknown"],
  ".": REFUSED,
  "..": REFUSED,
  ":80": REFUSED,
  "127.1": REFUSED,
  "2130706433": REFUSED,
  "0x7f.1": REFUSED,
  "017700000001": REFUSED,
  "127.0.0.1.": [...REFUSED, ...UNKNOWN, "401 admin.unauthorized", "404 route.none"],
  "0.0.0.0": UNKNOWN,
  "[::1]": UNKNOWN,
  "[::ffff:127.0.0.1]": UNKNOWN,
  "[::1%25lo]": REFUSED,
  "[::1": REFUSED,
  "::1": REFUSED,
  "[vault]": REFUSED,
  "xn--vult-5qa.fort.mesh.localhost": UNKNOWN,
  "v\u00e1ult.fort.mesh.localhost": [...REFUSED, ...UNKNOWN],
  "vault.fort.mesh.localhost.evil.test": UNKNOWN,
  "evil.vault.fort.mesh.localhost": UNKNOWN,
  "vault.fort": UNKNOWN,
  vault: UNKNOWN,
  "vault.fort.mesh": UNKNOWN,
  "vault.fort.svc.cluster.local": UNKNOWN,
  "fort.vault.mesh.localhost": UNKNOWN,
  "mesh.localhost": UNKNOWN,
  "vault.mesh.localhost": UNKNOWN,
  "__proto__.fort.mesh.localhost": UNKNOWN,
  "constructor.fort.mesh.localhost": UNKNOWN,
  "vault.__proto__.mesh.localhost": UNKNOWN,
  "registry.selvedge-system.mesh.localhost": UNKNOWN,
  "authority.selvedge-system.mesh.localhost": UNKNOWN,
  [`${"a".repeat(300)}.mesh.localhost`]: REFUSED,
  [`${"a.".repeat(130)}localhost`]: REFUSED,
};

const LINES: Readonly<Record<string, readonly [lines: readonly string[], expected: readonly string[]]>> = {
  none: [[], REFUSED],
  "two, the vault first": [[`Host: ${VAULT}`, `Host: ${DOOR}`], REFUSED],
  "two, the vault last": [[`Host: ${DOOR}`, `Host: ${VAULT}`], REFUSED],
  "two alike": [[`Host: ${VAULT}`, `Host: ${VAULT}`], REFUSED],
  folded: [["Host: door", ` ${VAULT}`], REFUSED],
  "a blank before the colon": [[`Host : ${VAULT}`], REFUSED],
  "by another field": [[`Host: ${DOOR}`, `X-Forwarded-Host: ${VAULT}`], ["200"]],
  "by Forwarded": [[`Host: ${DOOR}`, `Forwarded: host=${VAULT}`], ["200"]],
  "by X-Original-Host": [[`Host: ${DOOR}`, `X-Original-Host: ${VAULT}`], ["200"]],
  "by X-Original-URL": [[`Host: ${DOOR}`, "X-Original-URL: /admin", "X-Rewrite-URL: /admin"], ["200"]],
  "by Envoy's path": [[`Host: ${DOOR}`, "X-Envoy-Original-Path: /admin"], ["200"]],
  "by an underscore": [[`Host: ${DOOR}`, `X_Forwarded_Host: ${VAULT}`], ["400 header.invalid"]],
};

export function hostAttacks(): Attack[] {
  const names = Object.entries(NAMES).map(([name, expected]) => attack(name, [`Host: ${name}`], expected));
  const cut = CUTS.flatMap((cut) => [
    attack(`${VAULT}${cut}x`, [`Host: ${VAULT}${cut}x`], REFUSED),
    attack(`x${cut}${VAULT}`, [`Host: x${cut}${VAULT}`], REFUSED),
    attack(`${DOOR}${cut}${ROLES}`, [`Host: ${DOOR}${cut}${ROLES}`], REFUSED),
  ]);
  const lines = Object.entries(LINES).map(([name, [lines, expected]]) => attack(name, lines, expected));
  return [...names, ...cut, ...lines];
}

function attack(name: string, lines: readonly string[], expected: readonly string[]): Attack {
  const id = `host ${name.slice(0, 80)} (${name.length})`;
  return { id, class: "hosts", at: "edge", how: get("/", lines), expected };
}
