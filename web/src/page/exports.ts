// A session as a file, in the columns of Python's mood/session_export.py.
import { NOTE } from "../mood/stress.js";
import type { Row, Session } from "./store.js";

const FIELDS = [
  "track_id",
  "n",
  "label",
  "confidence",
  "valence",
  "arousal",
  "stress_index",
  "stress_low",
  "stress_high",
  "stress_level",
  "coverage",
  "baseline",
] as const;

type Cell = string | number | null;

function head(session: Session, row: Row): Record<string, Cell> {
  const when = new Date(1000 * row.second).toISOString().replace(/\.000Z$/, "+00:00");
  const fields = FIELDS.map((name): [string, Cell] => [name, row[name]]);
  return { session: session.id, time: when, second: row.second, ...Object.fromEntries(fields) };
}

export function asJson(session: Session, rows: readonly Row[]): string {
  const lines = rows.map((row) => JSON.stringify({ ...head(session, row), scores: row.scores }));
  return `${JSON.stringify({ session, note: NOTE }).slice(0, -1)}, "seconds": [\n${lines.join(",\n")}\n]}\n`;
}

export function asCsv(session: Session, rows: readonly Row[]): string {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.scores)))];
  const columns = ["session", "time", "second", ...FIELDS, ...names.map((name) => `score_${name}`)];
  const lines = rows.map((row) => [...Object.values(head(session, row)), ...names.map((name) => row.scores[name] ?? null)]);
  return [columns, ...lines].map((line) => `${line.map(quoted).join(",")}\r\n`).join("");
}

function quoted(cell: Cell): string {
  const text = cell === null ? "" : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
