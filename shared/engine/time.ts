/**
 * Units of time. The engine never reads a clock: `now` is always an argument.
 *
 * @module
 */

/** Milliseconds: an instant since the Unix epoch, or a span. */
export type Millis = number;

/** Draws a number in [0, 1). An argument wherever chance decides, so that tests can seed it. */
export type Random = () => number;
