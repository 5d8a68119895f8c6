// Pixels -> faces with emotions, in one thread: detect, crop, classify. Runs inside the worker.
import { cropLevel } from "./align.js";
import { BlazeFace } from "./blazeface.js";
import { readCard } from "./card.js";
import type { ModelCard } from "./card.js";
import { wholeFrame } from "./detections.js";
import type { Detector } from "./detections.js";
import { MienError } from "./errors.js";
import { namingWeights } from "./naming.js";
import type { Priors } from "./naming.js";
import { cropSquare, squareBox } from "./pixels.js";
import type { Pixels } from "./pixels.js";
import { faceOf } from "./results.js";
import type { FrameResult } from "./results.js";
import { firstLine, Network, setUpRuntime } from "./runtime.js";
import { YuNet, YUNET_FILE } from "./yunet.js";

export interface Settings {
  /** Folder of the models, with a slash at its end. */
  readonly models: string;
  /** Folder of the runtime's files, likewise. */
  readonly runtime: string;
  /** Name of the model: `${model}.onnx` in the folder. */
  readonly model: string;
  readonly detector: "blazeface" | "yunet" | "none";
  readonly accept_threshold?: number;
  readonly align: boolean;
  readonly priors: Priors;
  readonly threads?: number;
}

export class Recognizer {
  readonly card: ModelCard;
  readonly #network: Network;
  readonly #detector: Detector;
  readonly #threshold: number;
  readonly #weights: readonly number[];
  readonly #align: boolean;

  private constructor(card: ModelCard, network: Network, detector: Detector, settings: Settings) {
    this.card = card;
    this.#network = network;
    this.#detector = detector;
    this.#threshold = settings.accept_threshold ?? card.accept_threshold;
    this.#align = settings.align;
    this.#weights = namingWeights(card.labels, card.naming, settings.priors);
  }

  static async load(settings: Settings): Promise<Recognizer> {
    setUpRuntime(settings.runtime, settings.threads);
    const url = `${settings.models}${settings.model}.onnx`;
    const [bytes, detector] = await Promise.all([fetched(url), openDetector(settings)]);
    const card = await about(url, () => readCard(bytes));
    const network = await about(url, () => Network.open(bytes));
    const recognizer = await about(url, () => new Recognizer(card, network, detector, settings));
    await about(url, () => recognizer.classify(new Uint8Array(card.image.side ** 2))); // the first run lays out memory
    return recognizer;
  }

  /** Probabilities of grey crops, row by row, columns in the order of `card.labels`. */
  async classify(crops: Uint8Array): Promise<Float32Array> {
    const { side } = this.card.image;
    const count = crops.length / side ** 2;
    if (!Number.isInteger(count)) throw new MienError("image", `expected crops of ${side} x ${side} bytes, got ${crops.length} bytes`);
    if (count === 0) return new Float32Array();
    const [probabilities] = await this.#network.run({ type: "uint8", data: crops, dims: [count, side, side] }, ["probabilities"]);
    return probabilities;
  }

  async recognize(pixels: Pixels, source: string, thorough: boolean): Promise<FrameResult> {
    const found = await this.#detector.detect(pixels, thorough);
    const { side, margins } = this.card.image;
    const margin = Object.hasOwn(margins, this.#detector.name) ? margins[this.#detector.name] : this.#detector.margin;
    const crops = new Uint8Array(found.length * side ** 2);
    found.forEach((each, index) => {
      const crop = this.#align ? cropLevel(pixels, each, side, margin) : cropSquare(pixels, squareBox(each.box, margin), side);
      crops.set(crop, index * side ** 2);
    });
    const probabilities = await this.classify(crops);
    const classes = this.card.labels.length;
    const faces = found.map((each, index) =>
      faceOf(each, probabilities.subarray(index * classes, (index + 1) * classes), this.card, this.#weights, this.#threshold),
    );
    return { source, width: pixels.width, height: pixels.height, faces };
  }

  async close(): Promise<void> {
    await this.#network.close();
  }
}

async function openDetector({ detector, models }: Settings): Promise<Detector> {
  if (detector === "none") return wholeFrame;
  const url = models + (detector === "yunet" ? YUNET_FILE : "blazeface.onnx");
  const bytes = await fetched(url);
  if (detector === "yunet") return about(url, () => YuNet.open(bytes));
  return about(url, async () => new BlazeFace(await Network.open(bytes)));
}

/** The bytes of a file of the page's own server. */
async function fetched(url: string): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch {
    throw new MienError("model_missing", `${url}: the server cannot be reached`);
  }
  if (!response.ok) {
    throw new MienError("model_missing", `${url}: no such file (the server answered ${response.status}); put the model there`);
  }
  return new Uint8Array(await response.arrayBuffer());
}

/** Do something with a file; errors begin with its address. */
async function about<T>(url: string, step: () => T | Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    const code = error instanceof MienError ? error.code : "runtime";
    throw new MienError(code, `${url}: ${firstLine(error)}`);
  }
}
