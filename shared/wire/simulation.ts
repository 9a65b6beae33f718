/**
 * Simulations: what a change of configuration would do to calls that were
 * recorded, as the admin API and its clients see them.
 *
 * @module
 */
import { z } from "zod";
import { applyRequest, resourceRefs } from "./admin.ts";
import { PROBLEMS, type ProblemCode } from "./problem.ts";

/** Body of `POST /simulate`. */
export const simulateRequest = z
  .strictObject({
    documents: applyRequest.shape.documents.default([]),
    defaultNamespace: applyRequest.shape.defaultNamespace,
    refs: resourceRefs.readonly().default([]).meta({ description: "Resources to delete besides." }),
    prune: applyRequest.shape.prune,
  })
  .meta({ id: "SimulateRequest" });

const codes = Object.keys(PROBLEMS).filter((code): code is ProblemCode => code in PROBLEMS);

const verdict = z
  .object({
    kind: z.enum(["allowed", "denied", "asked"]).meta({
      description: "`asked`: an external authorizer decides, which is not asked here.",
    }),
    by: z.string().nullable().meta({
      description: "The rule that decides, `namespace/policy[index]`, or the authorizers that are asked.",
    }),
    code: z.enum(codes).nullable().meta({ description: "What a denied call is answered with." }),
  })
  .meta({ id: "SimulatedVerdict" });

const flip = z.object({
  caller: z.string().nullable().meta({ description: "SPIFFE id; null: nobody that was proved." }),
  kind: z
    .enum(["Service", "Endpoint"])
    .meta({ description: "Who decided: the edge for a service, or the joined Worker of an Endpoint." }),
  callee: z.string().meta({ description: "`namespace/name`." }),
  method: z.string(),
  path: z.string(),
  before: verdict,
  after: verdict,
  calls: z.int().meta({ description: "How many such calls were recorded: fewer than were made." }),
  lastSeenAt: z.number().meta({ description: "Milliseconds since the epoch." }),
});

/** What `POST /simulate` answers. */
export const simulateAnswer = z
  .object({
    revision: z.int().meta({ description: "The revision that the change was tried on." }),
    recorded: z.int().meta({ description: "Distinct calls that are recorded of your namespaces." }),
    replayed: z.int().meta({ description: "Those of workloads whose policies would change." }),
    unchanged: z.int().meta({ description: "Those that are decided alike, if not by the same rule." }),
    flips: z.int().meta({ description: "Distinct calls that would be decided otherwise." }),
    unknown: z.int().meta({ description: "Calls that policies read something of which was not recorded." }),
    unrecorded: z
      .array(z.string())
      .readonly()
      .meta({ description: "What was not recorded, as policies name it." }),
    gone: z.int().meta({ description: "Calls to what is not there, before or after the change." }),
    omitted: z.int().meta({ description: "Calls left out, since there is too much to compare." }),
    items: z.array(flip).readonly().meta({ description: "The flips, most frequent first, 1,000 at most." }),
  })
  .meta({ id: "SimulateAnswer" });

export type Simulation = z.infer<typeof simulateAnswer>;
export type Flip = z.infer<typeof flip>;
export type Verdict = z.infer<typeof verdict>;
