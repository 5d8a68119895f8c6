// ONNX Runtime's WebAssembly: where its files are, how many threads, and one call.
import * as ort from "onnxruntime-web/wasm";
import { MienError } from "./errors.js";

const MOST_THREADS = 4;

/**
 * Say where the runtime's two files are; once, before the first network.
 *
 * Threads need shared memory, which browsers give to pages that are cross-origin isolated only.
 */
export function setUpRuntime(folder: string, threads?: number): void {
  const cores = Math.min(navigator.hardwareConcurrency || 1, MOST_THREADS);
  ort.env.wasm.wasmPaths = folder;
  ort.env.wasm.numThreads = globalThis.crossOriginIsolated ? (threads ?? cores) : 1;
  ort.env.logLevel = "error";
}

export interface Input {
  readonly type: "uint8" | "float32";
  readonly data: Uint8Array | Float32Array;
  readonly dims: readonly number[];
}

/** An open network. */
export class Network {
  readonly #session: ort.InferenceSession;

  private constructor(session: ort.InferenceSession) {
    this.#session = session;
  }

  /** Throws MienError where the runtime refuses the file or cannot start. */
  static async open(bytes: Uint8Array): Promise<Network> {
    try {
      const options = { executionProviders: ["wasm"], graphOptimizationLevel: "all" } as const;
      return new Network(await ort.InferenceSession.create(bytes, options));
    } catch (error) {
      throw new MienError("runtime", `ONNX Runtime could not open it: ${firstLine(error)}`);
    }
  }

  get inputName(): string {
    return this.#session.inputNames[0];
  }

  /** Run on one input; the outputs asked for, in their order. */
  async run({ type, data, dims }: Input, outputs: readonly string[]): Promise<Float32Array[]> {
    const tensor =
      type === "uint8" ? new ort.Tensor("uint8", data as Uint8Array, dims) : new ort.Tensor("float32", data as Float32Array, dims);
    const found = await this.#session.run({ [this.inputName]: tensor }, outputs);
    return outputs.map((name) => found[name].data as Float32Array);
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
}

export const firstLine = (error: unknown): string => String(error instanceof Error ? error.message : error).split("\n")[0];
