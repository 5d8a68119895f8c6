// Faces found in an image, and what all detectors do with them afterwards.
import type { Margin } from "./card.js";
import type { Box, Pixels } from "./pixels.js";

export type Point = readonly [x: number, y: number];

export interface Detection {
  readonly box: Box;
  /** The detector's own certainty, 0..1; null where no detector ran. */
  readonly score: number | null;
  /** The eye on the left of the image, the other eye, then whatever else the detector gives; in pixels. */
  readonly landmarks?: readonly Point[];
}

export interface Detector {
  /** Picks the crop margin in the model's card. */
  readonly name: string;
  /** What is added around its box where the card says nothing. */
  readonly margin: Margin;
  /** `thorough` also looks for small faces, which takes longer: for photos. */
  detect(pixels: Pixels, thorough: boolean): Promise<Detection[]>;
}

const area = ([x1, y1, x2, y2]: Box): number => (x2 - x1) * (y2 - y1);

function shared(one: Box, other: Box): number {
  const width = Math.min(one[2], other[2]) - Math.max(one[0], other[0]);
  const height = Math.min(one[3], other[3]) - Math.max(one[1], other[1]);
  return Math.max(0, width) * Math.max(0, height);
}

/** Intersection over union. */
export function iou(one: Box, other: Box): number {
  const both = shared(one, other);
  return both / (area(one) + area(other) - both);
}

/** Of two boxes whose overlap covers more than `share` of the smaller one only the stronger stays. */
export function suppressOverlaps(found: readonly Detection[], share = 0.5): Detection[] {
  const kept: Detection[] = [];
  for (const each of [...found].sort((a, b) => (b.score ?? 0) - (a.score ?? 0))) {
    const covered = ({ box }: Detection): boolean => shared(box, each.box) > share * Math.min(area(box), area(each.box));
    if (!kept.some(covered)) kept.push(each);
  }
  return kept;
}

/** Boxes clipped to the image, without those of which less than a pixel is left; largest first, then left to right. */
export function inside({ width, height }: Pixels, found: readonly Detection[]): Detection[] {
  const clip = (value: number, most: number): number => Math.min(Math.max(value, 0), most);
  return found
    .map((each) => {
      const [x1, y1, x2, y2] = each.box;
      const box: Box = [clip(x1, width), clip(y1, height), clip(x2, width), clip(y2, height)];
      return { ...each, box };
    })
    .filter(({ box }) => box[2] - box[0] >= 1 && box[3] - box[1] >= 1)
    .sort((a, b) => area(b.box) - area(a.box) || a.box[0] - b.box[0]);
}

/** The whole image is one face, for crops that were made elsewhere. */
export const wholeFrame: Detector = {
  name: "none",
  margin: [0, 0, 0, 0],
  detect: ({ width, height }) => Promise.resolve([{ box: [0, 0, width, height], score: null }]),
};
