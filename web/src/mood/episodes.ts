// Stretches in which a face keeps one label other than neutral, as Python's mood/episodes.py.
import { canonical } from "../emotions.js";

export interface Episode {
  readonly onset_s: number;
  /** When the label's smoothed score was highest. */
  readonly peak_s: number;
  /** null while it lasts. */
  readonly end_s: number | null;
  readonly label: string;
  readonly peak_value: number;
}

export class EpisodeFinder {
  readonly episodes: Episode[] = [];
  readonly #maxGap: number;
  #last = 0;

  constructor(maxGap_s: number) {
    this.#maxGap = maxGap_s;
  }

  /** The face shows `label` with smoothed score `value` at `t_s`. */
  add(t_s: number, label: string, value: number): void {
    this.passTime(t_s);
    this.#last = t_s;
    const current = this.episodes.at(-1);
    const open = current !== undefined && current.end_s === null;
    if (open && current.label === label) {
      if (value > current.peak_value + 1e-9) this.#replace({ ...current, peak_s: t_s, peak_value: value });
      return;
    }
    if (open) this.#replace({ ...current, end_s: t_s });
    if (canonical(label) !== "neutral") this.episodes.push({ onset_s: t_s, peak_s: t_s, end_s: null, label, peak_value: value });
  }

  /** End what was going on if the face has not been seen for longer than the largest gap. */
  passTime(now_s: number): void {
    const current = this.episodes.at(-1);
    if (now_s - this.#last > this.#maxGap + 1e-9 && current?.end_s === null) this.#replace({ ...current, end_s: this.#last });
  }

  /** Drop episodes that ended before `start_s`. */
  forgetBefore(start_s: number): void {
    while (this.episodes.length > 0 && (this.episodes[0].end_s ?? Infinity) < start_s) this.episodes.shift();
  }

  #replace(last: Episode): void {
    this.episodes[this.episodes.length - 1] = last;
  }
}
