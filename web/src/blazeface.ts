// BlazeFace, MediaPipe's detector for near faces, on ONNX Runtime (scripts/blazeface.mjs makes the file).
//
// One look at the whole image finds faces from about a ninth of its longest side; a thorough search looks at overlapping
// tiles of half and a quarter of that side too.
//
// Bazarevsky et al. 2019, arXiv:1907.05047; anchors and decoding as MediaPipe's face_detection_short_range sets them.
import type { Margin } from "./card.js";
import { inside, iou, suppressOverlaps } from "./detections.js";
import type { Detection, Detector, Point } from "./detections.js";
import { resized } from "./pixels.js";
import type { Box, Pixels } from "./pixels.js";
import { Network } from "./runtime.js";

const SIDE = 128;
const GRIDS = [
  { cells: 16, anchors: 2 },
  { cells: 8, anchors: 6 },
] as const;
const NUMBERS = 16; // box, then six points
const POINTS = 6; // eyes, nose tip, mouth, ears
const SAME_FACE = 0.3; // intersection over union
const TILES_AT_ONCE = 8;
const SMALLEST_TILE = 160; // pixels; smaller tiles would only be enlarged

/** Measured on FER2013's own frames (benchmarks/blazeface_margins.py): found 98.6 % of 4,000. */
const MARGIN: Margin = [0.0825, 0.196, 0.0825, -0.016];

export class BlazeFace implements Detector {
  readonly name = "blazeface";
  readonly margin = MARGIN;
  readonly #network: Network;
  readonly #minScore: number;
  readonly #anchors = anchors();

  constructor(network: Network, minScore = 0.5) {
    this.#network = network;
    this.#minScore = minScore;
  }

  async detect(pixels: Pixels, thorough: boolean): Promise<Detection[]> {
    const found: Detection[] = [];
    const tiles = thorough ? tilesOf(pixels) : [whole(pixels)];
    for (let first = 0; first < tiles.length; first += TILES_AT_ONCE) {
      found.push(...(await this.#search(pixels, tiles.slice(first, first + TILES_AT_ONCE))));
    }
    return inside(pixels, thorough ? suppressOverlaps(found) : found);
  }

  /** Search squares of the image, each on its own. */
  async #search(pixels: Pixels, tiles: readonly Box[]): Promise<Detection[]> {
    const pictures = new Uint8Array(tiles.length * SIDE * SIDE * 3);
    tiles.forEach((tile, index) => {
      pictures.set(letterboxed(pixels, tile), index * SIDE * SIDE * 3);
    });
    const input = { type: "uint8", data: pictures, dims: [tiles.length, SIDE, SIDE, 3] } as const;
    const [regressors, logits] = await this.#network.run(input, ["regressors", "classificators"]);
    const count = this.#anchors.length;
    return tiles.flatMap((tile, index) =>
      merged(this.#decoded(tile, regressors.subarray(index * count * NUMBERS), logits.subarray(index * count, (index + 1) * count))),
    );
  }

  #decoded([left, top, right]: Box, regressors: Float32Array, logits: Float32Array): Detection[] {
    const scale = (right - left) / SIDE;
    const found: Detection[] = [];
    logits.forEach((logit, index) => {
      const score = 1 / (1 + Math.exp(-logit));
      if (score < this.#minScore) return;
      const [anchorX, anchorY] = this.#anchors[index];
      const raw = regressors.subarray(index * NUMBERS, (index + 1) * NUMBERS);
      const place = (at: number): Point => [left + scale * (raw[at] + anchorX), top + scale * (raw[at + 1] + anchorY)];
      const [x, y] = place(0);
      const [halfWidth, halfHeight] = [(scale * raw[2]) / 2, (scale * raw[3]) / 2];
      const landmarks = Array.from({ length: POINTS }, (_, point) => place(4 + 2 * point));
      found.push({ box: [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight], score, landmarks });
    });
    return found;
  }
}

/** Centres of the anchors in pixels of the network's picture. */
function anchors(): Point[] {
  return GRIDS.flatMap(({ cells, anchors: each }) =>
    Array.from({ length: cells * cells * each }, (_, index): Point => {
      const cell = Math.floor(index / each);
      const step = SIDE / cells;
      return [((cell % cells) + 0.5) * step, (Math.floor(cell / cells) + 0.5) * step];
    }),
  );
}

/** Candidates of one face become one: the mean, weighted by score, with the best score. */
function merged(found: readonly Detection[]): Detection[] {
  let left = [...found].sort((a, b) => b.score! - a.score!);
  const faces: Detection[] = [];
  while (left.length > 0) {
    const best = left[0];
    const same = left.filter((each) => iou(best.box, each.box) > SAME_FACE || each === best);
    const total = same.reduce((sum, each) => sum + each.score!, 0);
    const mean = (value: (each: Detection) => number): number =>
      same.reduce((sum, each) => sum + value(each) * each.score!, 0) / total;
    const box = [0, 1, 2, 3].map((side) => mean((each) => each.box[side])) as unknown as Box;
    const landmarks = best.landmarks!.map((_, point): Point => [
      mean((each) => each.landmarks![point][0]),
      mean((each) => each.landmarks![point][1]),
    ]);
    faces.push({ box, score: best.score, landmarks });
    left = left.filter((each) => !same.includes(each));
  }
  return faces;
}

const whole = ({ width, height }: Pixels): Box => {
  const side = Math.max(width, height);
  const [x, y] = [(width - side) / 2, (height - side) / 2];
  return [x, y, x + side, y + side];
};

/** The whole image and squares of a half and a quarter of its longest side, each overlapping its neighbour by a half. */
function tilesOf(pixels: Pixels): Box[] {
  const { width, height } = pixels;
  const tiles = [whole(pixels)];
  for (const parts of [2, 4]) {
    const side = Math.max(width, height) / parts;
    if (side < SMALLEST_TILE) break;
    const starts = (length: number): number[] => {
      const count = Math.max(1, Math.ceil((2 * length) / side - 1));
      return Array.from({ length: count }, (_, index) => (count === 1 ? (length - side) / 2 : (index * (length - side)) / (count - 1)));
    };
    for (const y of starts(height)) for (const x of starts(width)) tiles.push([x, y, x + side, y + side]);
  }
  return tiles;
}

/** A square of the image, which may reach outside it, at the network's size; black outside. */
function letterboxed(pixels: Pixels, [x1, y1, x2, y2]: Box): Uint8Array {
  const scale = SIDE / (x2 - x1);
  const clip = (value: number, most: number): number => Math.min(Math.max(value, 0), most);
  const box: Box = [clip(x1, pixels.width), clip(y1, pixels.height), clip(x2, pixels.width), clip(y2, pixels.height)];
  const [left, top] = [Math.round((box[0] - x1) * scale), Math.round((box[1] - y1) * scale)];
  const width = Math.max(1, Math.min(SIDE - left, Math.round((box[2] - box[0]) * scale)));
  const height = Math.max(1, Math.min(SIDE - top, Math.round((box[3] - box[1]) * scale)));
  const small = resized(pixels, box, width, height);
  const picture = new Uint8Array(SIDE * SIDE * 3);
  for (let row = 0; row < height; row += 1) {
    picture.set(small.subarray(row * width * 3, (row + 1) * width * 3), ((top + row) * SIDE + left) * 3);
  }
  return picture;
}
