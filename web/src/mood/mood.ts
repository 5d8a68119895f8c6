// Mood: what the faces of a video or camera show over time, one track a person, as Python's mood/mood.py.
//
//   const moods = new MoodTracker();
//   for each frame: moods.update(tracker.follow(await mien.recognize(video), t_s))   // frames without faces too
import { valenceArousal } from "../emotions.js";
import { MienError } from "../errors.js";
import type { Face, FrameResult } from "../results.js";
import { EpisodeFinder } from "./episodes.js";
import type { Episode } from "./episodes.js";
import { aggregate } from "./seconds.js";
import type { Sample, Second } from "./seconds.js";
import { Smoother, SteadyClock, Window } from "./series.js";
import { LEVEL_FACES, startBaseline, stressIndex, stressLevel, stressProbability, withSample } from "./stress.js";
import type { Baseline } from "./stress.js";

/** One person at one moment. */
export interface Mood extends Sample {
  /** Seconds on the source's clock; where that jumped back, on one that did not. */
  readonly t_s: number;
}

export interface MoodSettings {
  /** After this many seconds a face weighs half in the smoothed scores. */
  readonly half_life_s: number;
  /** Of the stress index and the coverage. */
  readonly window_s: number;
  /** Seconds of usable face that a person's baseline takes, at the start, calm; 0 for none. */
  readonly baseline_s: number;
  /** A face counts for at most this long before its frame; an episode ends when the face was away longer. */
  readonly max_gap_s: number;
  /** How far another emotion's smoothed score must lead before the label changes, 0..1. */
  readonly label_margin: number;
  /** How long a label stays at least. */
  readonly min_label_s: number;
  /** Faces closer than this are one look for the interval of the stress index. */
  readonly correlation_s: number;
  /** How much of timelines and episodes is kept, and for how long people who left; Infinity for everything. */
  readonly history_s: number;
}

const DEFAULTS: MoodSettings = {
  half_life_s: 2,
  window_s: 60,
  baseline_s: 60,
  max_gap_s: 1,
  label_margin: 0.1,
  min_label_s: 1,
  correlation_s: 2,
  history_s: 3600,
};

export class MoodTracker {
  readonly settings: MoodSettings;
  #clock = new SteadyClock();
  #now: number | null = null;
  readonly #tracks = new Map<number, Track>();

  constructor(settings: Partial<MoodSettings> = {}) {
    this.settings = { ...DEFAULTS, ...settings };
    const { baseline_s, min_label_s, label_margin, history_s, ...positive } = this.settings;
    for (const [name, value] of Object.entries({ ...positive, history_s: Math.min(history_s, 1) })) {
      if (!(value > 0 && value < Infinity)) throw new MienError("mood", `${name}: expected more than 0 seconds, got ${value}`);
    }
    if (!(baseline_s >= 0 && baseline_s < Infinity && min_label_s >= 0 && label_margin >= 0 && label_margin <= 1)) {
      throw new MienError("mood", "expected baseline_s and min_label_s of at least 0 seconds and label_margin in 0..1");
    }
  }

  /** Forget one person, or everybody and the clock. */
  reset(track_id?: number): void {
    if (track_id !== undefined) {
      this.#tracks.delete(track_id);
      return;
    }
    this.#tracks.clear();
    this.#clock = new SteadyClock();
    this.#now = null;
  }

  /** Take one frame; moods of its faces that have a `track_id`, in their order. Also call it where there is no face. */
  update(result: Pick<FrameResult, "faces" | "t_s">): Mood[] {
    if (result.t_s === undefined || !Number.isFinite(result.t_s)) {
      throw new MienError("mood", `mood needs frames with a time, got t_s = ${String(result.t_s)}`);
    }
    const now = this.#clock.at(result.t_s);
    const duration = this.#now === null ? 0 : Math.min(now - this.#now, this.settings.max_gap_s);
    this.#now = now;
    const moods = new Map<number, Mood>();
    for (const face of result.faces) {
      if (face.track_id === undefined || moods.has(face.track_id)) continue;
      let track = this.#tracks.get(face.track_id);
      if (track === undefined) {
        track = new Track(face.track_id, now - duration, this.settings);
        this.#tracks.set(face.track_id, track);
      }
      moods.set(face.track_id, track.see(face, now, duration));
    }
    this.#forget(now);
    return [...moods.values()];
  }

  /** What is known of a person's calm state. */
  baseline(track_id: number): Baseline {
    return this.#track(track_id).baseline;
  }

  /** Learn the baseline of one person, or of everybody, anew from now on. */
  relearnBaseline(track_id?: number): void {
    const tracks = track_id === undefined ? [...this.#tracks.values()] : [this.#track(track_id)];
    for (const track of tracks) track.baseline = startBaseline(this.settings.baseline_s);
  }

  /** A person's episodes, oldest first; the last has no end while it lasts. */
  episodes(track_id: number): Episode[] {
    const { finder } = this.#track(track_id);
    finder.passTime(this.#now ?? 0);
    return [...finder.episodes];
  }

  /** A person's seconds, oldest first; the last may not be over yet. */
  timeline(track_id: number): Second[] {
    return this.#track(track_id).timeline();
  }

  #track(track_id: number): Track {
    const track = this.#tracks.get(track_id);
    if (track === undefined) throw new MienError("mood", `no track ${track_id}; there are ${[...this.#tracks.keys()].join(", ") || "none"}`);
    return track;
  }

  #forget(now: number): void {
    const start = now - this.settings.history_s;
    for (const [number, track] of this.#tracks) {
      if (track.seenLast < start) this.#tracks.delete(number);
      else track.forgetBefore(start);
    }
  }
}

/** The state of one person. */
class Track {
  readonly track_id: number;
  readonly finder: EpisodeFinder;
  baseline: Baseline;
  seenLast: number;
  readonly #settings: MoodSettings;
  readonly #came: number;
  readonly #smoother: Smoother;
  readonly #stress: Window;
  readonly #usable: Window;
  #scores: Record<string, number> = {};
  #usableLast: number;
  #usableNow = false;
  #emotions: string[] = [];
  #label = "";
  #labelSince = -Infinity;
  #seconds: Second[] = [];
  #moods: Mood[] = []; // of the second that is not over

  constructor(track_id: number, came: number, settings: MoodSettings) {
    this.track_id = track_id;
    this.#settings = settings;
    this.baseline = startBaseline(settings.baseline_s);
    this.finder = new EpisodeFinder(settings.max_gap_s);
    this.seenLast = this.#came = this.#usableLast = came;
    this.#smoother = new Smoother(settings.half_life_s);
    this.#stress = new Window(settings.window_s);
    this.#usable = new Window(settings.window_s);
  }

  /** Take the person's face of this frame, which stands for the last `duration` seconds. */
  see(face: Face, now: number, duration: number): Mood {
    this.seenLast = now;
    this.#usableNow = face.accepted;
    this.#emotions = [...this.#emotions, face.emotion].slice(-LEVEL_FACES);
    if (face.accepted || this.#label === "") {
      this.#smoother.add(now - this.#usableLast, face.accepted ? duration : 0, face.scores);
      this.#scores = this.#smoother.scores();
      this.#relabel(now);
    }
    if (face.accepted) {
      this.#usableLast = now;
      this.#usable.add(now, duration, 1);
      const stress = stressProbability(face.scores);
      if (stress !== null) {
        this.#stress.add(now, duration, stress);
        this.baseline = withSample(this.baseline, duration, stress);
      }
      this.finder.add(now, this.#label, this.#scores[this.#label]);
    } else this.finder.passTime(now);
    const mood = this.#mood(now);
    this.#keep(mood);
    return mood;
  }

  timeline(): Second[] {
    return this.#moods.length > 0 ? [...this.#seconds, aggregate(Math.floor(this.#moods[0].t_s), this.#moods)] : [...this.#seconds];
  }

  forgetBefore(start: number): void {
    while (this.#seconds.length > 0 && this.#seconds[0].second < start) this.#seconds.shift();
    this.finder.forgetBefore(start);
  }

  #keep(mood: Mood): void {
    if (this.#moods.length > 0 && Math.floor(this.#moods[0].t_s) !== Math.floor(mood.t_s)) {
      this.#seconds.push(aggregate(Math.floor(this.#moods[0].t_s), this.#moods));
      this.#moods = [];
    }
    this.#moods.push(mood);
  }

  #mood(now: number): Mood {
    const { window_s, correlation_s } = this.#settings;
    const mean = this.#stress.mean(now);
    const stress = mean === null ? null : stressIndex(mean, this.#stress.seen(now), this.baseline, correlation_s);
    const possible = Math.min(window_s, now - this.#came);
    const [valence, arousal] = valenceArousal(this.#scores);
    return {
      track_id: this.track_id,
      t_s: now,
      scores: this.#scores,
      valence,
      arousal,
      label: this.#label,
      confidence: this.#scores[this.#label],
      stress_index: stress?.[0] ?? null,
      stress_low: stress?.[1] ?? null,
      stress_high: stress?.[2] ?? null,
      stress_level: stressLevel(this.#emotions),
      coverage: possible > 0 ? Math.min(1, this.#usable.seen(now) / possible) : Number(this.#usableNow),
      baseline: this.baseline.state,
    };
  }

  /** Change the label if another emotion leads clearly and the present label has stood long enough. */
  #relabel(now: number): void {
    const [leader, best] = Object.entries(this.#scores).reduce((most, each) => (each[1] > most[1] ? each : most));
    const lead = best - (this.#scores[this.#label] ?? 0);
    const { label_margin, min_label_s } = this.#settings;
    const changes = leader !== this.#label && lead >= label_margin && now - this.#labelSince >= min_label_s;
    if (changes || this.#label === "") [this.#label, this.#labelSince] = [leader, now];
  }
}
