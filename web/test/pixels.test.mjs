import assert from "node:assert/strict";
import { test } from "node:test";
import { cropLevel } from "../build/align.js";
import { cropSquare, resized, roundEven, squareBox } from "../build/pixels.js";
import { bytes, golden } from "./golden.mjs";

const { width, height, rgb, side, cases } = golden("pixels");
const data = new Uint8Array(width * height * 4).fill(255);
bytes(rgb).forEach((value, index) => (data[4 * Math.floor(index / 3) + (index % 3)] = value));
const pixels = { data, width, height };

test("crops are Python's within 1 of 255, and nearly all bytes are equal", () => {
  let [different, all] = [0, 0];
  for (const { box, margin, landmarks, crop } of cases) {
    const wanted = bytes(crop);
    const found = cropLevel(pixels, { box, score: 1, ...(landmarks && { landmarks }) }, side, margin);
    assert.equal(found.length, side * side);
    wanted.forEach((value, index) => {
      const off = Math.abs(found[index] - value);
      assert.ok(off <= 1, `box ${box}: ${off} off`);
      different += off;
    });
    all += wanted.length;
  }
  assert.ok(cases.length > 30);
  assert.ok(different / all < 1e-3, `${different} of ${all} bytes differ`);
});

test("a grey square at its own size comes back bit for bit", () => {
  const grey = Uint8Array.from({ length: 48 * 48 * 4 }, (_, index) => (Math.floor(index / 4) * 37) % 256);
  const crop = cropSquare({ data: grey, width: 48, height: 48 }, [0, 0, 48, 48], 48);
  assert.deepEqual([...crop], Array.from({ length: 48 * 48 }, (_, index) => grey[4 * index]));
});

test("a colour picture keeps its colours at another size", () => {
  const red = Uint8Array.from({ length: 20 * 10 * 4 }, (_, index) => [200, 30, 7, 255][index % 4]);
  const small = resized({ data: red, width: 20, height: 10 }, [0, 0, 20, 10], 6, 5);
  assert.deepEqual([...small.subarray(0, 6)], [200, 30, 7, 200, 30, 7]);
  assert.equal(small.length, 6 * 5 * 3);
});

test("boxes that are none are refused", () => {
  for (const box of [[5, 0, 5, 9], [9, 0, 3, 9], [0, 0, NaN, 9], [0, 0, Infinity, 9]]) {
    assert.throws(() => squareBox(box, [0, 0, 0, 0]), RangeError);
  }
});

test("halves are rounded to even", () => {
  assert.deepEqual([0.5, 1.5, 2.5, 2.4999, 2.5001, 3].map(roundEven), [0, 2, 2, 2, 3, 3]);
});
