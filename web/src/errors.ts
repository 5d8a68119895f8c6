// One error class; its message is one complete line that names the thing and the remedy, its code is for programs.

export type MienErrorCode =
  | "image" // not a readable image
  | "model_missing" // no such file on the server
  | "model_altered" // its graph is not the one that its card was written for
  | "model" // not ours, damaged, or newer than this version
  | "detector" // not a detector that is known
  | "runtime" // the browser cannot run it: no WebAssembly SIMD, no workers
  | "mood"; // a setting or a time that mood cannot use

export class MienError extends Error {
  readonly code: MienErrorCode;

  constructor(code: MienErrorCode, message: string) {
    super(message);
    this.name = "MienError";
    this.code = code;
  }
}
