/**
 * Labels and what selects by them.
 *
 * @module
 */
import type { LabelSelector } from "../wire/resources/gateway.ts";

/** Labels of a resource, or the labels that something wants. */
export type Labels = Readonly<Record<string, string>>;

/** Whether `labels` holds all of `wanted`; an empty `wanted` holds for everything. */
export function hasLabels(labels: Labels, wanted: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}

/** Kubernetes' label selector: all labels and all expressions hold. */
export function selects(selector: LabelSelector, labels: Labels): boolean {
  return (
    hasLabels(labels, selector.matchLabels) && selector.matchExpressions.every((one) => holds(one, labels))
  );
}

function holds(
  { key, operator, values }: LabelSelector["matchExpressions"][number],
  labels: Labels,
): boolean {
  // A label may be called `toString`: what every object inherits is no label.
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
  }
}

/** Each label as one index key. */
export function pairsOf(labels: Labels): string[] {
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`);
}
