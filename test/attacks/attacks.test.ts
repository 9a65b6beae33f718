/**
 * The attack corpus against a mesh as it would be deployed: no treasure comes
 * out, whoever keeps it, and the mesh stands afterwards.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inTurns } from "../e2e/http-client.ts";
import { addressAttacks } from "./addresses.ts";
import { adminAttacks } from "./admin.ts";
import type { Arms, Attack } from "./attack.ts";
import { bindingAttacks } from "./bindings.ts";
import { certificateAttacks } from "./certificates.ts";
import { configurationAttacks } from "./configuration.ts";
import { detourAttacks } from "./detours.ts";
import { fire, verdictOf } from "./fire.ts";
import { build, type Fortress } from "./fortress.ts";
import { framingAttacks } from "./framing.ts";
import { headerAttacks } from "./headers.ts";
import { hostAttacks } from "./hosts.ts";
import { loopAttacks } from "./loops.ts";
import { pathAttacks } from "./paths.ts";
import { tokenAttacks } from "./tokens.ts";

let fortress: Fortress;

beforeAll(async () => {
  fortress = await build();
});

afterAll(() => fortress?.fall());

const CORPUS: Readonly<Record<string, (arms: Arms) => readonly Attack[] | Promise<readonly Attack[]>>> = {
  paths: pathAttacks,
  hosts: hostAttacks,
  headers: headerAttacks,
  detours: detourAttacks,
  framing: framingAttacks,
  tokens: tokenAttacks,
  certificates: certificateAttacks,
  bindings: bindingAttacks,
  addresses: addressAttacks,
  loops: loopAttacks,
  configuration: configurationAttacks,
  admin: adminAttacks,
};

describe.each(Object.keys(CORPUS))("%s", (name) => {
  test("nothing gets through", { timeout: 120_000 }, async () => {
    const attacks = (await CORPUS[name]?.(fortress.arms)) ?? [];
    const { runtime, marker, robbed } = fortress;
    robbed.splice(0);

    const results = await inTurns(attacks.length, 24, async (n) => {
      const attack = attacks[n];
      if (attack === undefined) return null;
      const answer = await fire(fortress.port(attack.at), attack.how);
      const got = verdictOf(answer);
      return { ...attack, got, isRobbed: answer.includes(marker), isRight: attack.expected.includes(got) };
    });

    const failed = results.filter((result) => result !== null && (result.isRobbed || !result.isRight));
    expect(failed.map((result) => [result?.id, result?.got, result?.isRobbed])).toEqual([]);
    expect(robbed).toEqual([]);
    expect(attacks.map(({ id }) => id).filter((id, at, ids) => ids.indexOf(id) !== at)).toEqual([]);
    expect(runtime.pid).toBeGreaterThan(0);
    expect(await fortress.stands()).toBe(true);
    console.info(`${name}: ${attacks.length} attacks`);
  });
});

/** What the mesh logs of its own mistakes, and what the runtime does of handlers that fail. */
const STUMBLE = /"event":"(?:internal|authz\.error)"|[Uu]ncaught/;
/** The runtime's answer to CONNECT, which no Worker of the mesh takes. */
const CONNECT = "does not export a connect() function";

test("no attack made the mesh stumble", () => {
  const stumbles = fortress.printed.filter((line) => STUMBLE.test(line) && !line.includes(CONNECT));
  expect(stumbles).toEqual([]);
});
