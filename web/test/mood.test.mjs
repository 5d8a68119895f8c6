import assert from "node:assert/strict";
import { test } from "node:test";
import { MienError } from "../build/errors.js";
import { byStep, MoodTracker, summarise, Tracker, trend } from "../build/mood/index.js";
import { wilson } from "../build/mood/stress.js";
import { assign } from "../build/tracker.js";
import { assertSame, golden } from "./golden.mjs";

const { cases, trends } = golden("mood");

/** The face that Python's stream held. */
function faceOf({ track_id, accepted, scores }, labels) {
  const best = scores.indexOf(Math.max(...scores));
  return { track_id, accepted, emotion: labels[best], scores: Object.fromEntries(labels.map((label, index) => [label, scores[index]])) };
}

for (const [index, { settings, labels, frames, moods, episodes, steps, summary }] of cases.entries()) {
  test(`mood, episodes, seconds and summary are Python's: series ${index}`, () => {
    const tracker = new MoodTracker(settings);
    const wanted = new Map(moods.map((each) => [each.frame, each.moods]));
    let compared = 0;
    frames.forEach(({ t_s, faces }, frame) => {
      const found = tracker.update({ t_s, faces: faces.map((face) => faceOf(face, labels)) });
      if (!wanted.has(frame)) return;
      assertSame(found, wanted.get(frame), `frame ${frame}`);
      compared += found.length;
    });
    assert.ok(compared >= 15, `${compared} moods`);
    for (const [number, each] of Object.entries(episodes)) assertSame(tracker.episodes(Number(number)), each, `episodes of ${number}`);
    const seconds = Object.keys(episodes).flatMap((number) => tracker.timeline(Number(number)));
    assertSame(byStep(seconds, 30), steps, "steps");
    if (summary) assertSame(summarise(seconds), summary, "summary");
  });
}

test("trends over days are Python's", () => {
  for (const { days, trend: wanted } of trends) {
    const rows = days.map(([day, valence]) => ({ day, valence }));
    assertSame(trend(rows, "valence"), wanted, "trend");
  }
});

test("Wilson's interval is the published one", () => {
  const [low, high] = wilson(0.5, 10); // Newcombe 1998: 0.2366 to 0.7634
  assert.ok(Math.abs(low - 0.2366) < 1e-4 && Math.abs(high - 0.7634) < 1e-4);
});

test("people keep the numbers that Python gives them", () => {
  const { max_gap_s: gap, frames } = golden("tracks");
  const tracker = new Tracker(gap);
  for (const { t_s, boxes, scores, ids } of frames) {
    const faces = boxes.map((box_xyxy, index) => ({ box_xyxy, detector_score: scores[index] }));
    assert.deepEqual(tracker.update(faces, t_s), ids, `at ${t_s}`);
  }
});

test("assignment is the cheapest one of all", () => {
  let state = 12345;
  const random = () => (state = (state * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
  for (let round = 0; round < 200; round += 1) {
    const [rows, columns] = [1 + (round % 4), 1 + (Math.floor(round / 4) % 5)];
    const costs = Array.from({ length: rows }, () => Array.from({ length: columns }, () => (random() < 0.2 ? 1e6 : random())));
    const price = (pairs) => pairs.reduce((sum, [row, column]) => sum + costs[row][column], 0) + 1e6 * (Math.min(rows, columns) - pairs.length);
    const best = (row, free) =>
      row === rows
        ? 0
        : Math.min(
            ...free.map((column) => costs[row][column] + best(row + 1, free.filter((each) => each !== column))),
            rows > columns || free.length === 0 ? best(row + 1, free) + (rows - row > free.length ? 0 : 1e6) : Infinity,
          );
    assert.ok(Math.abs(price(assign(costs)) - best(0, [...Array(columns).keys()])) < 1e-9, JSON.stringify(costs));
  }
});

test("impossible settings and times are refused in one line", () => {
  assert.throws(() => new MoodTracker({ window_s: 0 }), (error) => error instanceof MienError && /window_s/.test(error.message));
  assert.throws(() => new MoodTracker({ label_margin: 2 }), MienError);
  assert.throws(() => new MoodTracker().update({ faces: [] }), /mood needs frames with a time/);
  assert.throws(() => new MoodTracker().episodes(3), /no track 3; there are none/);
  assert.throws(() => new Tracker(-1), RangeError);
});
