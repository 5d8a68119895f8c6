// The moods of one second, or the seconds of a longer step, as one row: as Python's mood/seconds.py.
import type { Scores } from "./series.js";
import type { Baseline, StressLevel } from "./stress.js";

export interface Sample {
  readonly track_id: number;
  readonly scores: Scores;
  /** Unpleasant to pleasant, -1..1. */
  readonly valence: number;
  /** Sleepy to excited, -1..1. */
  readonly arousal: number;
  readonly label: string;
  readonly confidence: number;
  /** 0..100, an expression-based index, not a diagnosis; null while the baseline is being learnt. */
  readonly stress_index: number | null;
  readonly stress_low: number | null;
  readonly stress_high: number | null;
  readonly stress_level: StressLevel;
  /** Share of the window with a usable face, 0..1. */
  readonly coverage: number;
  readonly baseline: Baseline["state"];
}

export interface Second extends Sample {
  /** Start in whole seconds. */
  readonly second: number;
  /** Moods that it is the mean of. */
  readonly n: number;
}

/** Fold moods of one person into one row, or rows into a longer one; each sample weighs the same. */
export function aggregate(second: number, samples: readonly (Sample | Second)[]): Second {
  const mean = (value: (sample: Sample) => number): number => samples.reduce((sum, each) => sum + value(each), 0) / samples.length;
  const names = [...new Set(samples.flatMap((each) => Object.keys(each.scores)))];
  return {
    track_id: samples[0].track_id,
    second,
    n: samples.reduce((sum, each) => sum + ("n" in each ? each.n : 1), 0),
    scores: Object.fromEntries(names.map((name) => [name, mean(({ scores }) => scores[name] ?? 0)])),
    valence: mean((each) => each.valence),
    arousal: mean((each) => each.arousal),
    label: mostFrequent(samples.map((each) => each.label)),
    confidence: mean((each) => each.confidence),
    stress_index: meanIfAny(samples.map((each) => each.stress_index)),
    stress_low: meanIfAny(samples.map((each) => each.stress_low)),
    stress_high: meanIfAny(samples.map((each) => each.stress_high)),
    stress_level: mostFrequent(samples.map((each) => each.stress_level)),
    coverage: mean((each) => each.coverage),
    baseline: mostFrequent(samples.map((each) => each.baseline)),
  };
}

/** Coarser rows: one a person and step of `step_s` seconds, ordered by time, then person. */
export function byStep(seconds: readonly Second[], step_s: number): Second[] {
  const groups = new Map<string, Second[]>();
  const start = (row: Second): number => Math.floor(row.second / step_s) * step_s;
  const ordered = [...seconds].sort((a, b) => start(a) - start(b) || a.track_id - b.track_id || a.second - b.second);
  if (step_s === 1) return ordered;
  for (const row of ordered) {
    const key = `${start(row)} ${row.track_id}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].map((rows) => aggregate(start(rows[0]), rows));
}

function meanIfAny(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
}

/** The first of the most frequent names. */
export function mostFrequent<T extends string>(names: readonly T[]): T {
  return counted(names)[0][0];
}

/** Names with how often each came, most frequent first, equal ones in the order in which they came. */
export function counted<T extends string>(names: readonly T[]): [T, number][] {
  const counts = new Map<T, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}
