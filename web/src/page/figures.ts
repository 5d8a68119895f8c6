// Days of the history, in the browser's time zone.
import { dayOf, trend } from "../mood/summary.js";
import type { Day, Trend } from "../mood/summary.js";
import type { Row } from "./store.js";

export interface Days {
  readonly days: Day[];
  readonly trends: Record<"valence" | "arousal" | "stress_index", Trend | null>;
}

const two = (value: number): string => String(value).padStart(2, "0");

/** The local date of a time in seconds since 1970. */
export function localDay(epoch_s: number): string {
  const date = new Date(1000 * epoch_s);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** Start of a local date, and of the one after `more` days, in seconds since 1970. */
export function startOf(day: string, more = 0): number {
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date + more).getTime() / 1000;
}

export function daysOf(rows: readonly Row[]): Days {
  const byDay = new Map<string, Row[]>();
  for (const row of rows) {
    const day = localDay(row.second);
    const found = byDay.get(day);
    if (found === undefined) byDay.set(day, [row]);
    else found.push(row);
  }
  const days = [...byDay]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([day, each]) => dayOf(day, each, new Set(each.map((row) => row.session)).size));
  return {
    days,
    trends: { valence: trend(days, "valence"), arousal: trend(days, "arousal"), stress_index: trend(days, "stress_index") },
  };
}
