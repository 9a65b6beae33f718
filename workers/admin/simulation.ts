/**
 * Tries a change of configuration on recorded calls, and applies one only if
 * few enough of them would be decided otherwise.
 *
 * @module
 */
import { registryOf, telemetryOf, type Env } from "../../durable-objects/env.ts";
import { simulate } from "../../shared/forward/simulate.ts";
import { MeshError, type FieldProblem, type Outcome } from "../../shared/wire/problem.ts";
import type { ApplyAnswer, ApplyRequest, PreviewRequest } from "../../shared/wire/registry-rpc.ts";
import type { Flip, Simulation, Verdict } from "../../shared/wire/simulation.ts";
import { unwrap } from "./problems.ts";

/** How often a change is tried anew because the configuration has moved on meanwhile. */
const MAX_TRIES = 3;

/** Flips that a refusal names. */
const MAX_NAMED = 20;

/** A change, and whose recorded calls it is tried on: those of some namespaces, or of all (`null`). */
export interface Proposal extends Omit<PreviewRequest, "units"> {
  readonly visible: readonly string[] | null;
}

/** Tries a change on the calls that its author may see. */
export async function simulateChange(env: Env, { visible, ...change }: Proposal): Promise<Simulation> {
  const telemetry = telemetryOf(env);
  const known = await telemetry.recordedUnits(visible);
  const preview = unwrap(await registryOf(env).preview({ ...change, units: known.map(({ unit }) => unit) }));
  const touched = new Set(preview.touched.map(({ unit }) => unit));
  const calls = touched.size === 0 ? [] : await telemetry.recordedCalls([...touched]);
  const findings = simulate(preview.touched, calls, Date.now());
  const concerned = new Set([...touched, ...preview.omitted]);
  const count = (all: typeof known) => all.reduce((sum, { calls: more }) => sum + more, 0);
  return {
    revision: preview.revision,
    recorded: count(known),
    ...findings,
    // Calls may have been recorded, or forgotten, since they were counted.
    omitted: Math.max(0, count(known.filter(({ unit }) => concerned.has(unit))) - findings.replayed),
  };
}

/** What flips an apply may cause. */
export interface FlipLimit {
  readonly maxFlips: number;
  /** Applies whatever is found, and warns of it. */
  readonly force: boolean;
}

/** Applies on the revision that the simulation was made on, so that no other change comes between. */
export async function applyWithin(
  env: Env,
  request: ApplyRequest,
  { maxFlips, force }: FlipLimit,
): Promise<Outcome<ApplyAnswer>> {
  for (let tries = 1; ; tries += 1) {
    const simulation = await simulateChange(env, { ...proposalOf(request), refs: [] });
    if (simulation.flips > maxFlips && !force) throw new MeshError(tooMany(simulation, maxFlips));
    const applied = await registryOf(env).apply({ ...request, ifRevision: simulation.revision });
    if (applied.ok) return { ok: true, value: withWarnings(applied.value, simulation) };
    const isOvertaken = applied.problem.code === "config.revision" && request.ifRevision === undefined;
    if (!isOvertaken || tries === MAX_TRIES) return applied;
  }
}

function proposalOf(request: ApplyRequest): Omit<Proposal, "refs"> {
  const { documents, defaultNamespace, ifRevision, prune, namespaces } = request;
  return {
    documents,
    ...(defaultNamespace === undefined ? {} : { defaultNamespace }),
    ...(ifRevision === undefined ? {} : { ifRevision }),
    ...(prune === undefined ? {} : { prune }),
    ...(namespaces === undefined ? {} : { namespaces }),
    visible: namespaces ?? null,
  };
}

function tooMany({ flips, items }: Simulation, maxFlips: number) {
  const detail = `Nothing was changed: of the recorded calls ${flips} would be decided otherwise, and at most ${maxFlips} may be.`;
  return { code: "config.flips" as const, detail, fields: items.slice(0, MAX_NAMED).map(fieldOf) };
}

function fieldOf({ caller, callee, method, path, before, after, calls }: Flip): FieldProblem {
  const times = calls === 1 ? "once" : `${calls} times`;
  return {
    path: `${caller ?? "nobody"} to ${callee}: ${method} ${path}`,
    message: `${verdictText(before)}, then ${verdictText(after)}; recorded ${times}`,
  };
}

function verdictText({ kind, by, code }: Verdict): string {
  if (kind === "asked") return `asked of ${by ?? "nobody"}`;
  return `${kind}${by === null ? (code === null ? "" : ` (${code})`) : ` by ${by}`}`;
}

function withWarnings(answer: ApplyAnswer, { flips, unknown, unrecorded, omitted }: Simulation): ApplyAnswer {
  const told = [
    ...(flips === 0 ? [] : [`of the recorded calls ${flips} would be decided otherwise by this change`]),
    ...(unknown === 0
      ? []
      : [`of the recorded calls ${unknown} could not be tried: ${unrecorded.join(", ")} was not recorded`]),
    ...(omitted === 0
      ? []
      : [`of the recorded calls ${omitted} were not tried: there is too much to compare`]),
  ];
  return { ...answer, warnings: [...answer.warnings, ...told] };
}
