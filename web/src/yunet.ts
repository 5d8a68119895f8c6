// YuNet, where the page's owner puts its file beside the models: as Python's yunet.py and detect.py.
// Wu, Peng & Yu 2023, "YuNet: A Tiny Millisecond-level Face Detector"; MIT licence.
import type { Margin } from "./card.js";
import { inside, iou, suppressOverlaps } from "./detections.js";
import type { Detection, Detector, Point } from "./detections.js";
import { MienError } from "./errors.js";
import { resized } from "./pixels.js";
import type { Box, Pixels } from "./pixels.js";
import { without } from "./protobuf.js";
import { Network } from "./runtime.js";

export const YUNET_FILE = "face_detection_yunet_2023mar.onnx";

const STRIDES = [8, 16, 32] as const;
const MOST_OVERLAP = 0.3; // intersection over union
const COARSE_SIDE = 320;
const FINE_SIDE = 960;
const LARGEST_FINE_FACE = 300; // pixels; larger ones belong to the coarse look

// Fields of onnx.proto that state sizes: the published file names one size although the network takes any.
const SIZES = { 7: { 11: { 2: { 1: { 2: null } } }, 12: { 2: { 1: { 2: null } } }, 13: null } } as const;

export class YuNet implements Detector {
  readonly name = "yunet";
  readonly margin: Margin = [0.128, 0.039, 0.128, -0.008]; // Python's margins.py
  readonly #network: Network;
  readonly #minScore: number;

  private constructor(network: Network, minScore: number) {
    this.#network = network;
    this.#minScore = minScore;
  }

  static async open(bytes: Uint8Array, minScore = 0.7): Promise<YuNet> {
    try {
      return new YuNet(await Network.open(without(bytes, SIZES)), minScore);
    } catch (error) {
      throw error instanceof MienError ? new MienError("detector", `is not a YuNet face detector: ${error.message}`) : error;
    }
  }

  async detect(pixels: Pixels, thorough: boolean): Promise<Detection[]> {
    const found = await this.#search(pixels, COARSE_SIDE);
    const longest = Math.max(pixels.width, pixels.height);
    if (!thorough || longest <= COARSE_SIDE) return inside(pixels, found);
    const limit = LARGEST_FINE_FACE * Math.max(1, longest / FINE_SIDE);
    const fine = await this.#search(pixels, FINE_SIDE);
    const small = fine.filter(({ box }) => Math.max(box[2] - box[0], box[3] - box[1]) <= limit);
    return inside(pixels, suppressOverlaps([...found, ...small]));
  }

  async #search(pixels: Pixels, longestSide: number): Promise<Detection[]> {
    const scale = Math.min(1, longestSide / Math.max(pixels.width, pixels.height));
    const [width, height] = [pixels.width, pixels.height].map((side) => Math.max(1, Math.round(side * scale)));
    const [wide, high] = [width, height].map((side) => Math.ceil(side / 32) * 32);
    const picture = resized(pixels, [0, 0, pixels.width, pixels.height], width, height);
    const planes = new Float32Array(3 * wide * high); // blue, green, red, from 0 to 255
    for (let row = 0, from = 0; row < height; row += 1) {
      for (let column = 0; column < width; column += 1, from += 3) {
        const at = row * wide + column;
        for (let channel = 0; channel < 3; channel += 1) planes[(2 - channel) * wide * high + at] = picture[from + channel];
      }
    }
    const names = STRIDES.flatMap((stride) => ["cls", "obj", "bbox", "kps"].map((kind) => `${kind}_${stride}`));
    const outputs = await this.#network.run({ type: "float32", data: planes, dims: [1, 3, high, wide] }, names);
    const [scaleX, scaleY] = [pixels.width / width, pixels.height / height];
    const found = STRIDES.flatMap((stride, index) => this.#candidates(stride, wide / stride, outputs.slice(4 * index, 4 * index + 4)));
    return strongest(found).map(({ box, score, landmarks }) => ({
      box: [box[0] * scaleX, box[1] * scaleY, box[2] * scaleX, box[3] * scaleY],
      score,
      landmarks: landmarks!.map(([x, y]): Point => [x * scaleX, y * scaleY]),
    }));
  }

  #candidates(stride: number, columns: number, [face, object, boxes, points]: Float32Array[]): Detection[] {
    const found: Detection[] = [];
    const unit = (value: number): number => Math.min(1, Math.max(0, value));
    face.forEach((value, index) => {
      const score = Math.sqrt(unit(value) * unit(object[index]));
      if (score < this.#minScore) return;
      const [column, row] = [index % columns, Math.floor(index / columns)];
      const [x, y] = [(column + boxes[4 * index]) * stride, (row + boxes[4 * index + 1]) * stride];
      const [halfWidth, halfHeight] = [2, 3].map((side) => (Math.exp(boxes[4 * index + side]) * stride) / 2);
      const landmarks = Array.from({ length: 5 }, (_, point): Point => {
        const at = 10 * index + 2 * point;
        return [(column + points[at]) * stride, (row + points[at + 1]) * stride];
      });
      found.push({ box: [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight], score, landmarks });
    });
    return found;
  }
}

function strongest(found: readonly Detection[]): Detection[] {
  const kept: Detection[] = [];
  for (const each of [...found].sort((a, b) => b.score! - a.score!)) {
    if (kept.every(({ box }: { box: Box }) => iou(box, each.box) <= MOST_OVERLAP)) kept.push(each);
  }
  return kept;
}
