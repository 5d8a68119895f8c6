// Python's golden series (scripts/web_golden.py) and the comparison with them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

export const golden = (name) => JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), "utf8"));

export const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));

/** Equal in shape, names and words; numbers within 1e-8. */
export function assertSame(found, wanted, path = "") {
  if (typeof wanted === "number") {
    assert.ok(Math.abs(found - wanted) <= 1e-8, `${path}: expected ${wanted}, got ${found}`);
  } else if (wanted !== null && typeof wanted === "object") {
    assert.deepEqual(Object.keys(found ?? {}).sort(), Object.keys(wanted).sort(), path);
    for (const key of Object.keys(wanted)) assertSame(found[key], wanted[key], `${path}.${key}`);
  } else {
    assert.equal(found, wanted, path);
  }
}
