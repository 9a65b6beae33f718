/**
 * What protects workloads: one policy of all policies that are about them.
 *
 * @module
 */
import type { InboundPolicy } from "../engine/snapshot.ts";
import { pool } from "./authorization.ts";
import { inOrder } from "./multimap.ts";
import { decidePeer } from "./peer.ts";
import { concerns, SYSTEM_NAMESPACE, type Policy, type Subject } from "./policy.ts";
import { spaceOf, type Space, type World } from "./state.ts";
import { overloadOf } from "./traffic.ts";
import { MAX_UNIT_BYTES } from "./unit-size.ts";

/** The distinct policies of a service's endpoints. */
export interface Inbounds {
  readonly policies: readonly InboundPolicy[];
  /** Where in `policies` a workload's is; it is added if it is new. */
  indexOf(subject: Subject): number;
}

/**
 * Gathers the policies of the workloads of one namespace. Those that the same
 * resources protect have one, which is made once: many endpoints times many
 * policies is more than the registry could write down.
 */
export function collectInbound(world: World): Inbounds {
  const policies: InboundPolicy[] = [];
  const byBasis = new Map<string, number>();
  const byText = new Map<string, number>();
  let length = 0;
  const add = (subject: Subject, basis: Basis): number => {
    // More than a unit may have: it is refused as it is, and making the rest would take the registry's memory.
    if (length > MAX_UNIT_BYTES) return 0;
    const policy = compileBasis(world, subject, basis);
    const text = JSON.stringify(policy);
    const known = byText.get(text);
    if (known !== undefined) return known;
    length += text.length;
    byText.set(text, policies.length);
    return policies.push(policy) - 1;
  };
  return {
    policies,
    indexOf(subject) {
      const basis = basisOf(world, subject);
      const name = nameOf(basis);
      const index = byBasis.get(name) ?? add(subject, basis);
      byBasis.set(name, index);
      return index;
    },
  };
}

/** What protects one workload. */
export function compileInbound(world: World, subject: Subject): InboundPolicy {
  return compileBasis(world, subject, basisOf(world, subject));
}

/** Where policies for a namespace stand. */
export function spacesFor(world: World, namespace: string): Space[] {
  return [...new Set([SYSTEM_NAMESPACE, namespace])].map((name) => spaceOf(world, name));
}

type Basis = ReturnType<typeof basisOf>;

/** The resources that are about a workload. */
function basisOf(world: World, subject: Subject) {
  const spaces = spacesFor(world, subject.namespace);
  const about = <Kind extends Policy>(policiesIn: (space: Space) => ReadonlyMap<string, Kind>) =>
    spaces.flatMap((space) =>
      // First those that count, then their order: most of a namespace's policies may be about others.
      inOrder(new Map([...policiesIn(space)].filter(([, policy]) => concerns(policy, subject)))),
    );
  return {
    peers: about(({ peers }) => peers),
    users: about(({ users }) => users),
    authorizations: about(({ authorizations }) => authorizations),
    intentions: about(({ intentions }) => intentions),
    limits: about(({ limits }) => limits),
    faults: about(({ faults }) => faults),
    overload: overloadOf(world, subject),
  };
}

/** Equal for workloads of one namespace that have equal policies; cheap where these are large. */
function nameOf({ overload, ...lists }: Basis): string {
  const names = Object.values(lists).map((list) =>
    list.map(({ namespace, name }: Policy) => `${namespace}/${name}`),
  );
  return JSON.stringify([names, overload]);
}

function compileBasis(world: World, subject: Subject, { overload, ...basis }: Basis): InboundPolicy {
  const users = basis.users.flatMap(({ rules }) => rules);
  const faults = basis.faults.flatMap(({ faults }) => faults);
  return {
    ...decidePeer(basis.peers, subject),
    ...(users.length === 0 ? {} : { users }),
    authorization: pool({
      policies: basis.authorizations,
      intending: basis.intentions,
      providers: spaceOf(world, SYSTEM_NAMESPACE).providers,
    }),
    limits: basis.limits.flatMap(({ limits }) => limits),
    ...(faults.length === 0 ? {} : { faults }),
    ...(overload === undefined ? {} : { overload }),
  };
}
