// Summaries of per-second rows, of days, and the trend over days: as Python's mood/summary.py, mood/days.py and mood/trend.py.
import { EpisodeFinder } from "./episodes.js";
import type { Episode } from "./episodes.js";
import { counted } from "./seconds.js";
import type { Second } from "./seconds.js";
import type { StressLevel } from "./stress.js";
import { NOTE } from "./stress.js";

export interface Summary {
  /** The person; null for all together. */
  readonly track_id: number | null;
  /** Seconds with a face, added up over people. */
  readonly person_s: number;
  readonly start: number | null;
  readonly end: number | null;
  readonly scores: Readonly<Record<string, number>>;
  readonly valence: number | null;
  readonly arousal: number | null;
  /** Share of the seconds by label, most frequent first. */
  readonly labels: Readonly<Record<string, number>>;
  readonly stress_index: number | null;
  readonly stress_peak: number | null;
  readonly stress_peak_at: number | null;
  readonly stress_levels: Readonly<Partial<Record<StressLevel, number>>>;
  readonly episodes: readonly Episode[];
  readonly people: readonly Summary[];
  readonly note: string;
}

export interface Day {
  readonly day: string;
  readonly person_s: number;
  readonly sessions: number;
  readonly valence: number;
  readonly arousal: number;
  readonly stress_index: number | null;
  readonly stress_s: number;
  readonly labels: Readonly<Record<string, number>>;
}

export interface Trend {
  /** Theil-Sen slope, in the quantity's unit a day. */
  readonly per_day: number;
  readonly low: number | null;
  readonly high: number | null;
  readonly days: number;
  readonly direction: "rising" | "falling" | "unclear";
}

/** All people together and each on their own. */
export function summarise(rows: readonly Second[]): Summary {
  const people = [...new Set(rows.map((row) => row.track_id))].sort((a, b) => a - b);
  const each = people.map((track_id) => {
    const own = rows.filter((row) => row.track_id === track_id);
    return summary(own, track_id, findEpisodes(own), []);
  });
  return summary(rows, null, [], each);
}

/** Episodes of one person's one-second rows; seconds may be missing for up to `maxGap_s` within one. */
export function findEpisodes(rows: readonly Second[], maxGap_s = 1): Episode[] {
  const finder = new EpisodeFinder(maxGap_s + 1); // from the start of one row to that of the next
  for (const row of rows) finder.add(row.second, row.label, row.confidence);
  const last = rows.at(-1);
  if (last !== undefined) finder.passTime(last.second + Math.ceil(maxGap_s) + 2);
  return finder.episodes;
}

function summary(rows: readonly Second[], track_id: number | null, episodes: Episode[], people: Summary[]): Summary {
  const stressed = rows.filter((row) => row.stress_index !== null);
  const peak = stressed.reduce<Second | null>((most, row) => (most === null || row.stress_index! > most.stress_index! ? row : most), null);
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.scores)))];
  return {
    track_id,
    person_s: rows.length,
    start: rows.length > 0 ? rows.reduce((least, row) => Math.min(least, row.second), Infinity) : null,
    end: rows.length > 0 ? rows.reduce((most, row) => Math.max(most, row.second + 1), -Infinity) : null,
    scores: Object.fromEntries(names.map((name) => [name, mean(rows.map((row) => row.scores[name] ?? 0))])),
    valence: rows.length > 0 ? mean(rows.map((row) => row.valence)) : null,
    arousal: rows.length > 0 ? mean(rows.map((row) => row.arousal)) : null,
    labels: shares(rows.map((row) => row.label)),
    stress_index: stressed.length > 0 ? mean(stressed.map((row) => row.stress_index!)) : null,
    stress_peak: peak?.stress_index ?? null,
    stress_peak_at: peak?.second ?? null,
    stress_levels: shares(rows.map((row) => row.stress_level)),
    episodes,
    people,
    note: NOTE,
  };
}

/** One day's figures from its rows; `sessions` is how many recorded something. */
export function dayOf(day: string, rows: readonly Second[], sessions: number): Day {
  const { person_s, valence, arousal, stress_index, labels } = summary(rows, null, [], []);
  const stress_s = rows.filter((row) => row.stress_index !== null).length;
  return { day, person_s, sessions, valence: valence ?? 0, arousal: arousal ?? 0, stress_index, stress_s, labels };
}

/** The median slope over all pairs of days (Theil 1950), its interval by Sen (1968); null with fewer than two days. */
export function trend(days: readonly Day[], quantity: "valence" | "arousal" | "stress_index"): Trend | null {
  const points = days
    .map((day): [number, number | null] => [Date.parse(`${day.day}T00:00:00Z`) / 86_400_000, day[quantity]])
    .filter((point): point is [number, number] => point[1] !== null)
    .sort((a, b) => a[0] - b[0]);
  const n = points.length;
  if (n < 2) return null;
  const slopes = points
    .flatMap(([when, value], index) => points.slice(index + 1).map(([then, later]) => (later - value) / (then - when)))
    .sort((a, b) => a - b);
  const middle = Math.floor(slopes.length / 2);
  const slope = slopes.length % 2 === 1 ? slopes[middle] : (slopes[middle - 1] + slopes[middle]) / 2;
  const reach = 1.96 * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  const known = n >= 5 && reach < slopes.length;
  const low = known ? slopes[Math.max(0, Math.floor((slopes.length - reach) / 2) - 1)] : null;
  const high = known ? slopes[Math.min(slopes.length - 1, Math.ceil((slopes.length + reach) / 2))] : null;
  const direction = low !== null && low > 0 ? "rising" : high !== null && high < 0 ? "falling" : "unclear";
  return { per_day: slope, low, high, days: n, direction };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function shares<T extends string>(names: readonly T[]): Record<T, number> {
  return Object.fromEntries(counted(names).map(([name, count]) => [name, count / names.length])) as Record<T, number>;
}
