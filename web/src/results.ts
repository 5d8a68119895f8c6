// What recognition returns: the fields of Python's contract/results.py, as its JSON has them.
import type { ModelCard } from "./card.js";
import type { Detection } from "./detections.js";
import { namedIndex } from "./naming.js";
import type { Box } from "./pixels.js";

export interface Face {
  /** The detector's box in pixels of the upright image: left, top, right, bottom. */
  readonly box_xyxy: Box;
  /** The detector's own certainty, 0..1; null where no detector ran. */
  readonly detector_score: number | null;
  /** The emotion that the model names. */
  readonly emotion: string;
  /** Its calibrated probability, 0..1; not always the largest of `scores`. */
  readonly confidence: number;
  /** False when the model abstains: no score reaches the threshold in its card. */
  readonly accepted: boolean;
  /** Probability of every emotion; they sum to 1, or to less where the model also says "none of these". */
  readonly scores: Readonly<Record<string, number>>;
  /** The same person over frames; only after a Tracker. */
  readonly track_id?: number;
}

export interface FrameResult {
  readonly source: string;
  readonly width: number;
  readonly height: number;
  /** Largest first. */
  readonly faces: readonly Face[];
  /** Seconds from the start of the source. */
  readonly t_s?: number;
}

const SCORE_DECIMALS = 6;
const BOX_DECIMALS = 2;

const rounded = (value: number, decimals: number): number => Math.round(value * 10 ** decimals) / 10 ** decimals;

/** A face from its detection and its row of probabilities; `weights` decide which emotion is named. */
export function faceOf(
  found: Detection,
  probabilities: Float32Array,
  card: ModelCard,
  weights: readonly number[],
  threshold: number,
): Face {
  const total = card.rejected.length > 0 ? 1 : probabilities.reduce((sum, value) => sum + value, 0);
  const scores = Array.from(probabilities, (value) => rounded(value / total, SCORE_DECIMALS));
  const named = namedIndex(probabilities, weights);
  return {
    box_xyxy: found.box.map((side) => rounded(side, BOX_DECIMALS)) as unknown as Box,
    detector_score: found.score === null ? null : rounded(found.score, SCORE_DECIMALS),
    emotion: card.labels[named],
    confidence: scores[named],
    accepted: Math.max(...scores) >= threshold,
    scores: Object.fromEntries(card.labels.map((label, index) => [label, scores[index]])),
  };
}
