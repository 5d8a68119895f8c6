// What page and worker say to each other.
import type { ModelCard } from "./card.js";
import type { MienErrorCode } from "./errors.js";
import type { Pixels } from "./pixels.js";
import type { Settings } from "./recognizer.js";
import type { FrameResult } from "./results.js";

export type Request =
  | { readonly id: number; readonly do: "load"; readonly settings: Settings }
  | { readonly id: number; readonly do: "recognize"; readonly image: ImageBitmap | Pixels; readonly source: string; readonly thorough: boolean }
  | { readonly id: number; readonly do: "classify"; readonly crops: Uint8Array };

export type Answer = ModelCard | FrameResult | Float32Array;

export type Reply =
  | { readonly id: number; readonly answer: Answer }
  | { readonly id: number; readonly error: { readonly code: MienErrorCode; readonly message: string } };
