// Time series seen at uneven times, as Python's mood/series.py: a sample stands for the time since the frame before it.

export type Scores = Readonly<Record<string, number>>;

/** Seconds that never go back: where the source's clock jumps back, this one stands still, then goes on from there. */
export class SteadyClock {
  #offset = 0;
  #last = -Infinity;

  at(t_s: number): number {
    let steady = t_s + this.#offset;
    if (steady < this.#last) {
      this.#offset += this.#last - steady;
      steady = this.#last;
    }
    this.#last = steady;
    return steady;
  }
}

/** Exponential smoothing of class scores with a half-life in seconds, for uneven frames and gaps. */
export class Smoother {
  readonly #halfLife: number;
  #weight = 0;
  #sums: Record<string, number> = {};

  constructor(halfLife_s: number) {
    this.#halfLife = halfLife_s;
  }

  /** Take a sample that stands for the last `duration_s` of the `elapsed_s` since the sample before. */
  add(elapsed_s: number, duration_s: number, scores: Scores): void {
    let fade = 2 ** (-elapsed_s / this.#halfLife);
    let weight = -Math.expm1((-Math.LN2 * duration_s) / this.#halfLife);
    if (this.#weight * fade + weight < 1e-12) [fade, weight] = [0, 1e-12]; // the first frame, or after a long absence
    for (const name of Object.keys(this.#sums)) if (!(name in scores)) this.#sums[name] *= fade;
    for (const [name, score] of Object.entries(scores)) this.#sums[name] = (this.#sums[name] ?? 0) * fade + score * weight;
    this.#weight = this.#weight * fade + weight;
  }

  scores(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.#sums).map(([name, value]) => [name, Math.min(1, value / this.#weight)]));
  }
}

/** The mean of a signal over the last `length_s` seconds, weighted by the time that it was seen. */
export class Window {
  readonly #length: number;
  readonly #pieces: { start: number; readonly end: number; readonly value: number }[] = [];
  #seen = 0;
  #sum = 0;

  constructor(length_s: number) {
    this.#length = length_s;
  }

  /** Take a value that held for the `duration_s` before `end_s`; times must not go back. */
  add(end_s: number, duration_s: number, value: number): void {
    if (duration_s > 0) {
      this.#pieces.push({ start: end_s - duration_s, end: end_s, value });
      this.#seen += duration_s;
      this.#sum += duration_s * value;
    }
    this.#forgetBefore(end_s - this.#length);
  }

  /** Seconds of the window in which the signal was seen. */
  seen(now_s: number): number {
    this.#forgetBefore(now_s - this.#length);
    return Math.min(Math.max(this.#seen, 0), this.#length);
  }

  /** The mean over the window; null where nothing was seen. */
  mean(now_s: number): number | null {
    this.#forgetBefore(now_s - this.#length);
    return this.#seen > 1e-9 ? this.#sum / this.#seen : null;
  }

  #forgetBefore(start_s: number): void {
    while (this.#pieces.length > 0 && this.#pieces[0].start < start_s) {
      const piece = this.#pieces[0];
      const gone = Math.min(piece.end, start_s) - piece.start;
      this.#seen -= gone;
      this.#sum -= gone * piece.value;
      if (piece.end > start_s) {
        piece.start = start_s;
        break;
      }
      this.#pieces.shift();
    }
    if (this.#pieces.length === 0) [this.#seen, this.#sum] = [0, 0]; // nothing of the rounding of a long run stays
  }
}
