import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { graphDigest, metadata, parseCard, readCard } from "../build/card.js";
import { fields, without } from "../build/protobuf.js";
import { Sha256 } from "../build/sha256.js";

const NANO = new URL("../../src/mien/assets/nano.onnx", import.meta.url);
const nano = new Uint8Array(readFileSync(NANO));

test("SHA-256 is the standard's, in pieces of any size", () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 100_003]) {
    const data = Uint8Array.from({ length }, (_, index) => (index * 31) % 251);
    const digest = new Sha256();
    for (let at = 0; at < length; at += 77) digest.update(data.subarray(at, at + 77));
    assert.equal(digest.hex(), createHash("sha256").update(data).digest("hex"), `${length} bytes`);
  }
});

test("a shipped model's card is read and its graph is the one that it was written for", () => {
  const card = readCard(nano);
  assert.equal(card.name, "nano");
  assert.equal(card.graph_sha256, graphDigest(nano));
  assert.equal(card.image.side, 48);
  assert.ok(card.labels.includes("neutral") && card.accept_threshold > 0);
});

test("one flipped bit of the graph is noticed, whichever it is", () => {
  for (const share of [0.2, 0.5, 0.9]) {
    const altered = nano.slice();
    const initializers = [...fields(altered)].find(({ number }) => number === 7); // ModelProto.graph
    altered[Math.floor(initializers.content + share * (initializers.end - initializers.content))] ^= 1;
    assert.throws(() => readCard(altered), (error) => error.code === "model_altered" && /altered/.test(error.message));
  }
});

test("files that are no models are told apart", () => {
  assert.throws(() => readCard(nano.subarray(0, 5000)), /truncated or not an ONNX file/);
  assert.throws(() => readCard(new TextEncoder().encode("<!doctype html><title>404</title>")), { code: "model" });
  assert.throws(() => readCard(without(nano, { 14: null })), /it has no model card/);
});

test("cards of newer versions and half cards are refused", () => {
  const plain = JSON.parse(metadata(nano).get("mien_card"));
  assert.throws(() => parseCard(JSON.stringify({ ...plain, format: 99 })), /format 99.*upgrade mien/);
  assert.throws(() => parseCard("{"), /not readable/);
  for (const damage of [{ labels: ["one"] }, { image: { side: 48, channels: 1, margins: { yunet: [1] } } }, { accept_threshold: 2 }]) {
    assert.throws(() => parseCard(JSON.stringify({ ...plain, ...damage })), /lacks or misstates/);
  }
});

test("a field is dropped inside a message, and the rest stays", () => {
  const message = Uint8Array.of(0x0a, 4, 0x08, 1, 0x10, 2, 0x18, 7); // 1: {1: 1, 2: 2}, 3: 7
  assert.deepEqual([...without(message, { 1: { 2: null } })], [0x0a, 2, 0x08, 1, 0x18, 7]);
});

test("the detector's file says where it comes from", { skip: !existsSync(new URL("../dist/models/blazeface.onnx", import.meta.url)) }, () => {
  const facts = metadata(new Uint8Array(readFileSync(new URL("../dist/models/blazeface.onnx", import.meta.url))));
  assert.equal(facts.get("licence"), "Apache-2.0");
  assert.match(facts.get("source"), /@mediapipe\/face_detection/);
});
