// The history in this browser: sessions and per-second rows in IndexedDB, never pictures.
import type { Second } from "../mood/seconds.js";

export interface Session {
  readonly id: number;
  readonly source: string;
  /** ISO 8601, UTC. */
  readonly started: string;
  /** null while it runs, and where the page was closed in it. */
  readonly ended: string | null;
  readonly recorded_until: string | null;
  /** Recorded seconds, added up over people. */
  readonly person_s: number;
  readonly people: number;
}

/** A stored second with its session. */
export type Row = Second & { readonly session: number };

type Stored = Pick<Session, "source" | "started" | "ended"> & { readonly id?: number };

const VERSION = 1;

export class History {
  readonly #database: IDBDatabase;

  private constructor(database: IDBDatabase) {
    this.#database = database;
  }

  static async open(name = "mien"): Promise<History> {
    const asked = indexedDB.open(name, VERSION);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore("sessions", { keyPath: "id", autoIncrement: true });
      const seconds = asked.result.createObjectStore("seconds", { keyPath: ["session", "second", "track_id"] });
      seconds.createIndex("second", "second");
    };
    return new History(await done(asked));
  }

  async begin(source: string): Promise<number> {
    const session: Stored = { source, started: new Date().toISOString(), ended: null };
    return (await done(this.#store("sessions", "readwrite").add(session))) as number;
  }

  async end(id: number): Promise<void> {
    const sessions = this.#store("sessions", "readwrite");
    const session = (await done(sessions.get(id))) as Stored | undefined;
    if (session !== undefined) await done(sessions.put({ ...session, ended: new Date().toISOString() }));
  }

  async add(rows: readonly Row[]): Promise<void> {
    const seconds = this.#store("seconds", "readwrite");
    await Promise.all(rows.map((row) => done(seconds.put(row))));
  }

  /** Sessions, the newest first. */
  async sessions(): Promise<Session[]> {
    const stored = (await done(this.#store("sessions").getAll())) as Required<Stored>[];
    const sessions = await Promise.all(stored.map(async (each) => described(each, await this.rows(each.id))));
    return sessions.reverse();
  }

  async session(id: number): Promise<Session | undefined> {
    const stored = (await done(this.#store("sessions").get(id))) as Required<Stored> | undefined;
    return stored && described(stored, await this.rows(id));
  }

  /** A session's rows, oldest first. */
  async rows(id: number): Promise<Row[]> {
    return (await done(this.#store("seconds").getAll(ofSession(id)))) as Row[];
  }

  /** Rows of all sessions between two times, seconds since 1970; the end is not included. */
  async between(start_s: number, end_s: number): Promise<Row[]> {
    const index = this.#store("seconds").index("second");
    return (await done(index.getAll(IDBKeyRange.bound(start_s, end_s, false, true)))) as Row[];
  }

  async remove(id: number): Promise<boolean> {
    const known = (await done(this.#store("sessions").count(id))) > 0;
    await done(this.#store("seconds", "readwrite").delete(ofSession(id)));
    await done(this.#store("sessions", "readwrite").delete(id));
    return known;
  }

  async clear(): Promise<number> {
    const count = await done(this.#store("sessions").count());
    await done(this.#store("seconds", "readwrite").clear());
    await done(this.#store("sessions", "readwrite").clear());
    return count;
  }

  #store(name: "sessions" | "seconds", mode: IDBTransactionMode = "readonly"): IDBObjectStore {
    return this.#database.transaction(name, mode).objectStore(name);
  }
}

const ofSession = (id: number): IDBKeyRange => IDBKeyRange.bound([id], [id, []]); // lists come after numbers

function described({ id, source, started, ended }: Required<Stored>, rows: readonly Row[]): Session {
  const last = rows.at(-1);
  return {
    id,
    source,
    started,
    ended,
    recorded_until: last ? new Date(1000 * (last.second + 1)).toISOString() : null,
    person_s: rows.length,
    people: new Set(rows.map((row) => row.track_id)).size,
  };
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => {
      resolve(request.result);
    };
    request.onerror = () => {
      reject(new Error(`this browser's storage cannot be used (${request.error?.message ?? "unknown"})`));
    };
  });
}
