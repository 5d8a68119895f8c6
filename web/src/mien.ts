// Facial expressions in the browser. Frames go to a worker of the same page and nowhere else.
//
//   const mien = await Mien.load({ models: "./models/" });
//   const { faces } = await mien.recognize(document.querySelector("video"));
//   faces[0]?.emotion, faces[0]?.confidence, faces[0]?.accepted
import type { ModelCard } from "./card.js";
import { MienError } from "./errors.js";
import type { Answer, Reply, Request } from "./messages.js";
import type { Priors } from "./naming.js";
import type { Settings } from "./recognizer.js";
import type { FrameResult } from "./results.js";

/** What can be looked at. A Blob is an image file, decoded with its orientation applied. */
export type Image =
  | Blob
  | HTMLCanvasElement
  | HTMLImageElement
  | HTMLVideoElement
  | ImageBitmap
  | ImageData
  | OffscreenCanvas
  | VideoFrame;

export interface LoadOptions {
  /** Folder of the models: `nano.onnx`, `blazeface.onnx`. Relative to the page. */
  readonly models: string | URL;
  /** Name of a model file without its ending. Default "nano". */
  readonly model?: string;
  /** "blazeface" (default), "yunet" where its file is in the folder, or "none": the whole image is one face. */
  readonly detector?: Settings["detector"];
  /** Which emotion is named: see `Priors`. Default "balanced": as the model's card says. */
  readonly priors?: Priors;
  /** Replaces the card's, 0..1: a face on which no emotion is that probable is not accepted. */
  readonly accept_threshold?: number;
  /** Cut tilted faces with their eyes level. Default true. */
  readonly align?: boolean;
  /** Threads, where the page is cross-origin isolated; else there is one. Default: the cores, at most 4. */
  readonly threads?: number;
}

export interface RecognizeOptions {
  /** Name in the result. Default "image". */
  readonly source?: string;
  /** Also look for small faces, which takes longer. Default: for everything but videos. */
  readonly thorough?: boolean;
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

type Asked<R> = R extends Request ? Omit<R, "id"> : never;

export class Mien {
  /** Facts about the model: labels in their order, threshold, metrics, licence. */
  readonly card!: ModelCard;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.onmessage = (event: MessageEvent<Reply>) => {
      this.#take(event.data);
    };
    worker.onerror = (event) => {
      const error = new MienError("runtime", `the worker failed: ${event.message || "worker.js could not be loaded"}`);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    };
  }

  /** Load model, detector and runtime. Throws MienError: no such file, altered, not ours, or this browser cannot run it. */
  static async load(options: LoadOptions): Promise<Mien> {
    checkBrowser();
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    const mien = new Mien(worker);
    const { models, model = "nano", detector = "blazeface", align = true, priors = "balanced", ...rest } = options;
    const folder = new URL(models, document.baseURI).href;
    const settings: Settings = {
      ...rest,
      models: folder.endsWith("/") ? folder : `${folder}/`,
      runtime: new URL("./", import.meta.url).href,
      model,
      detector,
      align,
      priors,
    };
    try {
      const card = (await mien.#ask({ do: "load", settings })) as ModelCard;
      return Object.assign(mien, { card });
    } catch (error) {
      worker.terminate();
      throw error;
    }
  }

  /** Find faces and name their emotions. Throws MienError where the image cannot be read. */
  async recognize(image: Image, options: RecognizeOptions = {}): Promise<FrameResult> {
    const thorough = options.thorough ?? !isVideo(image);
    const request = { do: "recognize", source: options.source ?? "image", thorough } as const;
    if (image instanceof ImageData) {
      const { data, width, height } = image;
      return (await this.#ask({ ...request, image: { data, width, height } })) as FrameResult;
    }
    const bitmap = await bitmapOf(image);
    return (await this.#ask({ ...request, image: bitmap }, [bitmap])) as FrameResult;
  }

  /** Probabilities of grey crops (bytes, side x side each), row by row, columns in the order of `card.labels`. */
  async classify(crops: Uint8Array): Promise<Float32Array> {
    return (await this.#ask({ do: "classify", crops })) as Float32Array;
  }

  /** Stop the worker and free its memory. */
  close(): void {
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(new MienError("runtime", "closed"));
    this.#waiting.clear();
  }

  #ask(request: Asked<Request>, transfer: Transferable[] = []): Promise<Answer> {
    const id = (this.#asked += 1);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...request }, transfer);
    });
  }

  #take(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ("error" in reply) waiting?.reject(new MienError(reply.error.code, reply.error.message));
    else waiting?.resolve(reply.answer);
  }
}

const isVideo = (image: Image): boolean =>
  image instanceof HTMLVideoElement || (typeof VideoFrame !== "undefined" && image instanceof VideoFrame);

async function bitmapOf(image: Exclude<Image, ImageData>): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(image, { colorSpaceConversion: "none" }); // Python ignores colour profiles too
  } catch {
    throw new MienError("image", "it is not a readable image, or it has no picture yet");
  }
}

// The smallest module with a SIMD instruction: a function that returns i8x16.splat(0).
const SIMD = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11);

function checkBrowser(): void {
  const wanted = "use Chrome 91, Firefox 114, Safari 16.4 or newer";
  if (typeof WebAssembly === "undefined" || !WebAssembly.validate(SIMD)) {
    throw new MienError("runtime", `this browser cannot run WebAssembly with SIMD; ${wanted}`);
  }
  if (typeof Worker === "undefined" || typeof OffscreenCanvas === "undefined") {
    throw new MienError("runtime", `this browser has no workers with a canvas; ${wanted}`);
  }
}
