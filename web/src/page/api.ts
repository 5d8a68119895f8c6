// What the served page asks its server for, answered on this device: the same paths, the same shapes.
import { byStep } from "../mood/seconds.js";
import { summarise } from "../mood/summary.js";
import { history, model } from "./device.js";
import { asCsv, asJson } from "./exports.js";
import { daysOf, startOf } from "./figures.js";
import type { History } from "./store.js";

const DETECTOR = document.querySelector<HTMLMetaElement>('meta[name="mien-detector"]')?.content;
/** Whether `mien serve` has this page beside its own; then the visitor can choose. */
const BESIDE_A_SERVER = document.querySelector('meta[name="mien-server"]') !== null;

export const FORMATS = ["csv", "json"];

interface Options {
  readonly method?: string;
  readonly body?: Blob;
}

/** A failure that the page tells its visitor in one line. */
class Problem extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Ask this device; what comes back has `json()`, as a Response has. */
export async function ask(path: string, options: Options = {}): Promise<{ json: () => Promise<unknown> }> {
  const answer = await answered(new URL(path, "https://device.invalid"), options);
  return { json: () => Promise.resolve(answer) };
}

export const askJson = async (path: string, options?: Options): Promise<unknown> => (await ask(path, options)).json();

/** There is no visitor's secret to remember here. */
export const remember = (): void => undefined;

async function answered({ pathname, searchParams: query }: URL, { method = "GET", body }: Options): Promise<unknown> {
  if (pathname === "/v1/access") {
    return { role: "owner", shared: false, history: true, detector: DETECTOR, here: "device", device: BESIDE_A_SERVER };
  }
  if (pathname === "/v1/recognize") {
    if (body === undefined) throw new Problem(400, "no photo was given");
    const source = body instanceof File ? body.name : "photo";
    return (await model()).recognize(body, { source });
  }
  const past = await history();
  if (pathname === "/v1/days") return days(past, query.get("first"), query.get("last"));
  if (pathname === "/v1/sessions") return method === "DELETE" ? { deleted: await past.clear() } : past.sessions();
  const [, number, what] = /^\/v1\/sessions\/(\d+)(?:\/(\w+))?$/.exec(pathname) ?? [];
  const session = number ? await past.session(Number(number)) : undefined;
  if (session === undefined) throw new Problem(404, `there is no session ${number}`);
  if (method === "DELETE") return { deleted: Number(await past.remove(session.id)) };
  const rows = await past.rows(session.id);
  if (what === "timeline") return byStep(rows, Number(query.get("step_s") ?? 1));
  if (what === "summary") return summarise(rows);
  return session;
}

async function days(past: History, first: string | null, last: string | null): Promise<unknown> {
  return daysOf(await past.between(first ? startOf(first) : 0, last ? startOf(last, 1) : Number.MAX_SAFE_INTEGER));
}

/** Save a session as a file; `path` is the server's for an export. */
export async function download(path: string): Promise<void> {
  const { pathname, searchParams } = new URL(path, "https://device.invalid");
  const number = Number(/^\/v1\/sessions\/(\d+)\/export$/.exec(pathname)?.[1]);
  const past = await history();
  const session = (await past.session(number));
  if (session === undefined) throw new Problem(404, `there is no session ${number}`);
  const format = searchParams.get("format") === "csv" ? "csv" : "json";
  const text = (format === "csv" ? asCsv : asJson)(session, await past.rows(number));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: format === "csv" ? "text/csv" : "application/json" }));
  link.download = `mien-session-${number}.${format}`;
  link.click();
  setTimeout(() => {
    URL.revokeObjectURL(link.href);
  }, 10_000);
}
