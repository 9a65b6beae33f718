/**
 * The release that this source is of.
 *
 * @module
 */

/** The version in package.json, for code that runs where no file can be read. */
export const VERSION = "0.1.0";
