export type { Margin, ModelCard } from "./card.js";
export { MienError } from "./errors.js";
export type { MienErrorCode } from "./errors.js";
export { Mien } from "./mien.js";
export type { Image, LoadOptions, RecognizeOptions } from "./mien.js";
export type { Naming, Priors } from "./naming.js";
export type { Box } from "./pixels.js";
export type { Face, FrameResult } from "./results.js";
