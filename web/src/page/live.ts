// The live view on this device: what the served page's Live gets over a WebSocket is made here, with the same messages.
import type { Mien } from "../mien.js";
import { MoodTracker } from "../mood/mood.js";
import type { Mood } from "../mood/mood.js";
import { aggregate } from "../mood/seconds.js";
import { Tracker } from "../tracker.js";
import { history, model } from "./device.js";
import type { Row } from "./store.js";

const MOST_FPS = 30;
const TRACK_GAP_S = 5; // whoever looks away for so long is still the same person
const MOOD_GAP_S = 2;
const HISTORY_S = 120; // the page keeps its own timeline
const MOST_EPISODES = 5;
const BASELINE_S = 60;

interface Told {
  state(kind: "connecting" | "live" | "paused" | "again"): void;
  hello(message: object): void;
  result(message: object, delayMs: number | null): void;
  problem(message: { detail: string }): void;
}

interface Wanted {
  readonly keep: boolean;
  readonly baseline: boolean;
}

export class Live {
  paused = false;
  readonly #told: Told;
  #run: Run | undefined;

  /** The first argument, which takes a picture for a server, is not needed: the model looks at the video itself. */
  constructor(_grab: unknown, told: Told) {
    this.#told = told;
  }

  start(wanted: Wanted): void {
    this.paused = false;
    this.#told.state("connecting");
    const run = new Run(wanted, this.#told, () => this.paused);
    this.#run = run;
    run.go().catch((error: unknown) => {
      if (run !== this.#run) return;
      this.#told.state("again");
      this.#told.problem({ detail: error instanceof Error ? error.message : String(error) });
    });
  }

  stop(): void {
    this.#run?.stop();
    this.#run = undefined;
  }

  pause(paused: boolean): void {
    this.paused = paused;
    this.#told.state(paused ? "paused" : "live");
  }

  command(type: string): void {
    if (type === "relearn") this.#run?.moods.relearnBaseline();
  }
}

/** One session: from Start to Stop. */
class Run {
  readonly moods: MoodTracker;
  readonly #people = new Tracker(TRACK_GAP_S);
  readonly #wanted: Wanted;
  readonly #told: Told;
  readonly #paused: () => boolean;
  #journal: Journal | undefined;
  #stopped = false;

  constructor(wanted: Wanted, told: Told, paused: () => boolean) {
    this.#wanted = wanted;
    this.#told = told;
    this.#paused = paused;
    this.moods = new MoodTracker({ baseline_s: wanted.baseline ? BASELINE_S : 0, max_gap_s: MOOD_GAP_S, history_s: HISTORY_S });
  }

  stop(): void {
    this.#stopped = true;
  }

  async go(): Promise<void> {
    const mien = await model();
    let storeProblem: string | null = null;
    if (this.#wanted.keep && !this.#stopped) {
      try {
        this.#journal = await Journal.begin("browser");
      } catch (error) {
        storeProblem = error instanceof Error ? error.message : String(error);
      }
    }
    if (!this.#stopped) {
      this.#told.hello({ type: "hello", session: this.#journal?.session ?? null, store_problem: storeProblem });
      this.#told.state(this.#paused() ? "paused" : "live");
    }
    try {
      await this.#loop(mien);
    } finally {
      await this.#journal?.end();
    }
  }

  async #loop(mien: Mien): Promise<void> {
    const video = document.querySelector("video")!;
    const began = performance.now();
    while (!this.#stopped) {
      const start = performance.now();
      if (!this.#paused() && video.videoWidth > 0 && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) {
        const found = await mien.recognize(video, { source: "browser" });
        if (this.#stopped as boolean) return;
        if (!this.#paused()) {
          const followed = this.#people.follow(found, (performance.now() - began) / 1000);
          const message = await this.#message(followed, mien.card.accept_threshold);
          this.#told.result(message, performance.now() - start);
        }
      }
      const rest = 1000 / MOST_FPS - (performance.now() - start);
      await new Promise((resolve) => setTimeout(resolve, this.#paused() ? 100 : Math.max(0, rest)));
    }
  }

  async #message(frame: ReturnType<Tracker["follow"]>, threshold: number): Promise<object> {
    const moods = this.moods.update(frame);
    const problem = await this.#journal?.take(moods);
    const of = <T>(value: (number: number) => T): Record<string, T> =>
      Object.fromEntries(moods.map(({ track_id: number }) => [number, value(number)]));
    return {
      type: "result",
      session: this.#journal?.session ?? null,
      ...frame,
      // whether an emotion is sure is decided on the smoothed scores, which are what people see
      moods: moods.map((mood) => ({ ...mood, accepted: Math.max(...Object.values(mood.scores)) >= threshold })),
      episodes: of((number) => this.moods.episodes(number).slice(-MOST_EPISODES)),
      baselines: of((number) => this.moods.baseline(number)),
      ...(problem !== undefined && { store_problem: problem }),
    };
  }
}

/** Rows of one session, written when a second is over. */
class Journal {
  readonly session: number;
  readonly #began = Date.now() / 1000;
  readonly #first = performance.now() / 1000;
  #second = 0;
  #open = new Map<number, Mood[]>();

  private constructor(session: number) {
    this.session = session;
  }

  static async begin(source: string): Promise<Journal> {
    return new Journal(await (await history()).begin(source));
  }

  /** Take the moods of one frame; what went wrong in words, null once it goes on, undefined where nothing was written. */
  async take(moods: readonly Mood[]): Promise<string | null | undefined> {
    const now = Math.floor(this.#began + performance.now() / 1000 - this.#first); // a clock that nobody sets
    const over = now !== this.#second ? await this.#write() : undefined;
    this.#second = now;
    for (const mood of moods) this.#open.set(mood.track_id, [...(this.#open.get(mood.track_id) ?? []), mood]);
    return over;
  }

  async end(): Promise<void> {
    await this.#write();
    await (await history()).end(this.session).catch(() => undefined);
  }

  async #write(): Promise<string | null | undefined> {
    const rows: Row[] = [...this.#open.values()].map((moods) => ({ ...aggregate(this.#second, moods), session: this.session }));
    this.#open = new Map();
    if (rows.length === 0) return undefined;
    try {
      await (await history()).add(rows);
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}
