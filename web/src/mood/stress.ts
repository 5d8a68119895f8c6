// The stress index and its interval, the baseline, and the published level. Formulae and sources: Python's mood/stress.py.
import { canonical } from "../emotions.js";
import type { Scores } from "./series.js";

/** To be shown wherever the stress index or level is. */
export const NOTE = "an expression-based index, not a diagnosis";

export type StressLevel = "low" | "medium" | "high";

const STRESS = new Set(["angry", "fear", "disgust"]);
const LEVEL = new Set(["angry", "fear", "sad"]);
export const LEVEL_FACES = 30;
const LEVEL_LEAST = 10;
const BASELINE_MOST = 0.5;
const NORMAL_QUANTILE_975 = 1.959963984540054;

export interface Baseline {
  readonly state: "learning" | "personal" | "none";
  /** Mean of p(angry) + p(fear) + p(disgust) over what was seen so far. */
  readonly level: number;
  readonly seen_s: number;
  readonly wanted_s: number;
}

/** Probability that a face shows anger, fear or disgust; null where the model knows none of them. */
export function stressProbability(scores: Scores): number | null {
  const known = Object.entries(scores).filter(([name]) => STRESS.has(canonical(name)));
  return known.length > 0 ? Math.min(1, known.reduce((sum, [, score]) => sum + score, 0)) : null;
}

/** Share of angry, fear and sad among the last 30 faces, in three steps. */
export function stressLevel(emotions: readonly string[]): StressLevel {
  const last = emotions.slice(-LEVEL_FACES);
  if (last.length < LEVEL_LEAST) return "low";
  const share = last.filter((name) => LEVEL.has(canonical(name))).length / last.length;
  return share > 0.6 ? "high" : share > 0.3 ? "medium" : "low";
}

export const startBaseline = (wanted_s: number): Baseline => ({
  state: wanted_s > 0 ? "learning" : "none",
  level: 0,
  seen_s: 0,
  wanted_s,
});

/** The baseline and one sample more; one that overfills it counts for what was missing. */
export function withSample(baseline: Baseline, duration_s: number, value: number): Baseline {
  if (baseline.state !== "learning" || duration_s <= 0) return baseline;
  const { seen_s, wanted_s } = baseline;
  const counted = Math.min(duration_s, wanted_s - seen_s);
  const seen = seen_s + counted;
  const level = (baseline.level * seen_s + value * counted) / seen;
  const full = seen >= wanted_s - 1e-9;
  return { state: full ? "personal" : "learning", level, seen_s: full ? wanted_s : seen, wanted_s };
}

/** Wilson's score interval of a proportion of `trials` > 0, which need not be whole. */
export function wilson(share: number, trials: number, z = NORMAL_QUANTILE_975): [low: number, high: number] {
  const centre = share + (z * z) / (2 * trials);
  const reach = z * Math.sqrt((share * (1 - share)) / trials + (z * z) / (4 * trials * trials));
  const scale = 1 + (z * z) / trials;
  return [Math.max(0, Math.min(share, (centre - reach) / scale)), Math.min(1, Math.max(share, (centre + reach) / scale))];
}

/** The index and its 95 % interval, all 0..100; null while the baseline is being learnt or nothing was seen. */
export function stressIndex(
  mean: number,
  seen_s: number,
  baseline: Baseline,
  correlation_s: number,
): [index: number, low: number, high: number] | null {
  if (baseline.state === "learning" || seen_s <= 0) return null;
  const [low, high] = wilson(mean, seen_s / correlation_s);
  let [calm, calmLow, calmHigh] = [0, 0, 0];
  if (baseline.state === "personal") {
    calm = Math.min(baseline.level, BASELINE_MOST);
    [calmLow, calmHigh] = wilson(calm, baseline.seen_s / correlation_s);
  }
  const raised = mean - calm;
  const below = Math.hypot(mean - low, calmHigh - calm);
  const above = Math.hypot(high - mean, calm - calmLow);
  const scaled = (value: number): number => 100 * Math.min(1, Math.max(0, value / (1 - calm)));
  return [scaled(raised), scaled(raised - below), scaled(raised + above)];
}
