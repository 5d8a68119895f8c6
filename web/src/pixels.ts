// The preprocessing, as Python's contract/pixels.py: a box in an image becomes a grey square. A box is widened by the
// margin, made square around its centre, and resampled with a triangle filter that widens when it shrinks. Outside the
// frame the nearest pixel repeats. Sums run in single precision here and there, in another order: test/parity.
import type { Margin } from "./card.js";

/** Left, top, right, bottom in pixels of the upright image. */
export type Box = readonly [number, number, number, number];

/** Red, green, blue and ignored alpha, row by row: what a canvas gives. */
export interface Pixels {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** Weights of red, green and blue in grey: ITU-R BT.601. */
export const LUMA = [0.299, 0.587, 0.114] as const;

/** Widen a box by `margin` and make it square around its centre. */
export function squareBox([x1, y1, x2, y2]: Box, [left, top, right, bottom]: Margin): Box {
  const [width, height] = [x2 - x1, y2 - y1];
  if (!(width > 0 && height > 0 && Number.isFinite(width + height))) {
    throw new RangeError(`expected a finite box with x2 > x1 and y2 > y1, got ${[x1, y1, x2, y2].join(", ")}`);
  }
  const [low, high] = [x1 - left * width, x2 + right * width];
  const [above, below] = [y1 - top * height, y2 + bottom * height];
  const half = Math.max(high - low, below - above) / 2;
  const [x, y] = [(low + high) / 2, (above + below) / 2];
  return [x - half, y - half, x + half, y + half];
}

/** For each sample of an axis: the first pixel, and the weights of it and those that follow. */
interface Resampling {
  readonly low: number;
  readonly high: number;
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly weights: Float32Array; // `most` a sample
  readonly most: number;
}

/** Weights that turn pixels of an axis into `side` samples spread evenly over [start, stop); rows sum to one. */
function resampling(start: number, stop: number, length: number, side: number): Resampling {
  const scale = (stop - start) / side;
  const reach = Math.max(scale, 1); // half-width of the triangle
  const clamp = (pixel: number): number => Math.min(Math.max(pixel, 0), length - 1);
  const most = 2 * Math.ceil(reach) + 2;
  const first = new Int32Array(side);
  const count = new Int32Array(side);
  const weights = new Float32Array(side * most);
  const folded = new Float64Array(most);
  for (let sample = 0; sample < side; sample += 1) {
    const centre = start + (sample + 0.5) * scale - 0.5;
    const [from, to] = [Math.ceil(centre - reach), Math.floor(centre + reach)];
    const [low, high] = [clamp(from), clamp(to)];
    folded.fill(0);
    let sum = 0;
    for (let pixel = from; pixel <= to; pixel += 1) {
      const weight = Math.max(0, 1 - Math.abs(pixel - centre) / reach);
      folded[clamp(pixel) - low] += weight; // beyond the frame the edge repeats
      sum += weight;
    }
    first[sample] = low;
    count[sample] = high - low + 1;
    for (let index = 0; index <= high - low; index += 1) weights[sample * most + index] = folded[index] / sum;
  }
  return { low: first[0], high: first[side - 1] + count[side - 1], first, count, weights, most };
}

/** Cut one box out of an image and resample it to grey: uint8, side x side. May reach outside the image. */
export const cropSquare = (pixels: Pixels, box: Box, side: number): Uint8Array => resampled(pixels, box, side, side, "grey");

/** The box at another size, in colour: uint8, RGB. For detectors. */
export const resized = (pixels: Pixels, box: Box, width: number, height: number): Uint8Array =>
  resampled(pixels, box, width, height, "rgb");

/** Rows first, then columns, as Python multiplies its matrices; rows are read in order, which is what takes the time. */
function resampled(pixels: Pixels, box: Box, toWidth: number, toHeight: number, as: "grey" | "rgb"): Uint8Array {
  const channels = as === "grey" ? 1 : 3;
  const across = resampling(box[0], box[2], pixels.width, toWidth);
  const down = resampling(box[1], box[3], pixels.height, toHeight);
  const line = (across.high - across.low) * channels;
  const rows = new Float32Array((down.high - down.low) * line);
  for (let row = 0; row < down.high - down.low; row += 1) {
    const at = 4 * ((down.low + row) * pixels.width + across.low);
    const to = rows.subarray(row * line, (row + 1) * line);
    if (as === "grey") readGrey(pixels.data, at, to);
    else readRgb(pixels.data, at, to);
  }
  const out = new Uint8Array(toWidth * toHeight * channels);
  const sums = new Float32Array(line);
  for (let sample = 0; sample < toHeight; sample += 1) {
    sums.fill(0);
    const first = down.first[sample] - down.low;
    const weights = sample * down.most;
    for (let index = 0; index < down.count[sample]; index += 1) addRow(sums, rows, (first + index) * line, down.weights[weights + index]);
    narrow(sums, across, channels, out, sample * toWidth * channels);
  }
  return out;
}

function addRow(sums: Float32Array, rows: Float32Array, from: number, weight: number): void {
  for (let column = 0; column < sums.length; column += 1) sums[column] += rows[from + column] * weight;
}

/** One line of the result from one line as wide as the box. */
function narrow(line: Float32Array, across: Resampling, channels: number, out: Uint8Array, to: number): void {
  const { first, count, weights, most, low } = across;
  for (let sample = 0; sample < first.length; sample += 1) {
    const from = (first[sample] - low) * channels;
    const start = sample * most;
    const end = start + count[sample];
    for (let channel = 0; channel < channels; channel += 1, to += 1) {
      let sum = 0;
      for (let index = start, at = from + channel; index < end; index += 1, at += channels) sum += line[at] * weights[index];
      out[to] = clampByte(roundEven(sum));
    }
  }
}

function readGrey(data: Pixels["data"], at: number, line: Float32Array): void {
  for (let column = 0; column < line.length; column += 1, at += 4) {
    line[column] = LUMA[0] * data[at] + LUMA[1] * data[at + 1] + LUMA[2] * data[at + 2];
  }
}

function readRgb(data: Pixels["data"], at: number, line: Float32Array): void {
  for (let to = 0; to < line.length; to += 3, at += 4) {
    line[to] = data[at];
    line[to + 1] = data[at + 1];
    line[to + 2] = data[at + 2];
  }
}

const clampByte = (value: number): number => Math.min(255, Math.max(0, value));

/** Round halves to even, as numpy does. */
export function roundEven(value: number): number {
  const floor = Math.floor(value);
  const over = value - floor;
  if (over !== 0.5) return over < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}
