/**
 * W3C Trace Context (Level 1): the `traceparent` header.
 *
 * @module
 */

export interface TraceContext {
  /** 32 lower-case hexadecimal digits, not all zero. */
  readonly traceId: string;
  /** The span that calls: 16 lower-case hexadecimal digits, not all zero. */
  readonly spanId: string;
  /** The caller may have recorded its span. */
  readonly isSampled: boolean;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NO_TRACE = "0".repeat(32);
const NO_SPAN = "0".repeat(16);

/**
 * Reads a `traceparent` header, or answers null where it is absent or
 * invalid, in which case a new trace starts. Of a version after 00 the known
 * fields are read and whatever follows is ignored (§3.2.2.5); `ff` is
 * forbidden.
 */
export function parseTraceparent(text: string | null): TraceContext | null {
  const [, version, traceId, spanId, flags, rest] = TRACEPARENT.exec(text ?? "") ?? [];
  if (version === undefined || traceId === undefined || spanId === undefined || flags === undefined) {
    return null;
  }
  if (version === "ff" || (version === "00" && rest !== undefined)) return null;
  if (traceId === NO_TRACE || spanId === NO_SPAN) return null;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/**
 * Makes the context of a span below `parent`, in its trace and with its
 * sampled flag; without a parent, that of a new trace, which is not sampled:
 * nobody has asked to record it. `randomHex` draws a number of bytes.
 */
export function childOf(parent: TraceContext | null, randomHex: (bytes: number) => string): TraceContext {
  return {
    traceId: parent?.traceId ?? randomHex(16),
    spanId: randomHex(8),
    isSampled: parent?.isSampled ?? false,
  };
}

/** Writes the header that a callee gets. Version 00; flags other than sampled are zero, as Level 1 asks. */
export function formatTraceparent(context: TraceContext): string {
  return `00-${context.traceId}-${context.spanId}-${context.isSampled ? "01" : "00"}`;
}
