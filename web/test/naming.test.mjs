import assert from "node:assert/strict";
import { test } from "node:test";
import { namedIndex, namingWeights } from "../build/naming.js";
import { faceOf } from "../build/results.js";
import { assertSame, golden } from "./golden.mjs";

const { labels, frequencies, cases } = golden("naming");

test("weights of emotions are Python's, by every kind of priors", () => {
  assert.ok(cases.length >= 12);
  for (const { power, priors, weights } of cases) {
    assertSame(namingWeights(labels, { frequencies, power, source: "" }, priors), weights, `${power} ${JSON.stringify(priors)}`);
  }
});

test("without a card's word only the most probable emotion can be named", () => {
  assert.deepEqual(namingWeights(["a", "b"], null), [1, 1]);
  assert.throws(() => namingWeights(["a", "b"], null, "uniform"), /use the priors 'field'/);
  assert.throws(() => namingWeights(["a", "b"], null, "loud"), /no priors 'loud'; there are: balanced, field, uniform/);
  const naming = { frequencies: { a: 0.9, b: 0.1 }, power: 1, source: "" };
  assert.throws(() => namingWeights(["a", "b"], naming, { c: 1 }), /the model does not know 'c'/);
  assert.throws(() => namingWeights(["a", "b"], naming, { a: 0 }), /one of them above 0/);
});

test("a rarer emotion is named, its probability stays, and the most probable one decides on abstention", () => {
  assert.equal(namedIndex([0.6, 0.3], [1, 1]), 0);
  const card = { labels: ["a", "b"], rejected: ["none"], naming: null };
  const face = faceOf({ box: [0, 0, 9.999, 9], score: null }, Float32Array.of(0.6, 0.3), card, [1 / 9, 1], 0.5);
  assert.deepEqual([face.emotion, face.confidence, face.accepted], ["b", 0.3, true]);
  assert.deepEqual(face.scores, { a: 0.6, b: 0.3 });
  assert.equal(face.box_xyxy[2], 10);
});
