/**
 * Time-outs and deadlines.
 *
 * @module
 */
import type { Millis } from "./time.ts";

export interface Timeouts {
  /** From the request's arrival to the end of response headers, retries included. Absent: no limit. */
  readonly requestMs?: Millis;
  /** The same for one try. Absent: what is left of `requestMs`. */
  readonly perTryMs?: Millis;
}
