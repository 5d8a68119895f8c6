// The model card inside every model file, as Python's contract/card.py writes it: JSON in the ONNX metadata.
import { MienError } from "./errors.js";
import type { Naming } from "./naming.js";
import { fields } from "./protobuf.js";
import { Sha256 } from "./sha256.js";

/** Left, top, right, bottom, each as a share of the box's width or height; negative cuts into the box. */
export type Margin = readonly [number, number, number, number];

export interface ModelCard {
  readonly format: number;
  readonly name: string;
  /** Emotions in the order of the outputs. */
  readonly labels: readonly string[];
  readonly image: { readonly side: number; readonly channels: number; readonly margins: Readonly<Record<string, Margin>> };
  /** Where no emotion is at least this probable the model abstains. */
  readonly accept_threshold: number;
  /** What the model may also take a face for without naming it; probabilities then sum to less than 1. */
  readonly rejected: readonly string[];
  readonly precision: string;
  /** How frequent emotions are, and how the default corrects for it; null names the most probable emotion. */
  readonly naming: Naming | null;
  /** Of the graph that the card was written for; null in older cards. */
  readonly graph_sha256: string | null;
  readonly [other: string]: unknown;
}

/** The newest format that this version reads. */
export const CARD_FORMAT = 3;

const CARD_KEY = "mien_card";
const METADATA_FIELD = 14; // ModelProto.metadata_props; all of a file but this is its graph

/** SHA-256 of an .onnx file without its metadata, where the card is. */
export function graphDigest(bytes: Uint8Array): string {
  const digest = new Sha256();
  for (const { number, start, end } of fields(bytes)) if (number !== METADATA_FIELD) digest.update(bytes.subarray(start, end));
  return digest.hex();
}

/** The metadata of an .onnx file. */
export function metadata(bytes: Uint8Array): Map<string, string> {
  const decoder = new TextDecoder();
  const found = new Map<string, string>();
  for (const { number, content, end } of fields(bytes)) {
    if (number !== METADATA_FIELD) continue;
    const entry = bytes.subarray(content, end);
    const pair = new Map<number, string>();
    for (const each of fields(entry)) pair.set(each.number, decoder.decode(entry.subarray(each.content, each.end)));
    found.set(pair.get(1) ?? "", pair.get(2) ?? "");
  }
  return found;
}

/** The card of a model file, checked against its graph. Throws MienError where there is none or it does not fit. */
export function readCard(bytes: Uint8Array): ModelCard {
  const text = metadata(bytes).get(CARD_KEY);
  if (text === undefined) throw new MienError("model", "not exported by mien: it has no model card");
  const card = parseCard(text);
  if (card.graph_sha256 !== null && graphDigest(bytes) !== card.graph_sha256) {
    throw new MienError("model_altered", "altered: its graph is not the one that its model card was written for (SHA-256)");
  }
  return card;
}

export function parseCard(text: string): ModelCard {
  let plain: Partial<ModelCard>;
  try {
    plain = JSON.parse(text) as Partial<ModelCard>;
  } catch {
    throw new MienError("model", "the model card is not readable");
  }
  if (typeof plain.format !== "number" || plain.format > CARD_FORMAT) {
    throw new MienError("model", `the model card has format ${String(plain.format)}, this version of mien reads up to ${CARD_FORMAT}; upgrade mien`);
  }
  const { name, labels, image, accept_threshold: threshold } = plain;
  const margins: unknown[] = Object.values(image?.margins ?? {});
  const whole =
    typeof name === "string" &&
    Array.isArray(labels) &&
    labels.length >= 2 &&
    new Set(labels).size === labels.length &&
    image !== undefined &&
    image.side >= 8 &&
    margins.every((margin) => Array.isArray(margin) && margin.length === 4 && margin.every(Number.isFinite)) &&
    typeof threshold === "number" &&
    threshold >= 0 &&
    threshold <= 1 &&
    (!plain.naming || labels.every((label: string) => Object.hasOwn(plain.naming!.frequencies, label)));
  if (!whole) throw new MienError("model", "the model card lacks or misstates a field");
  return {
    precision: "fp32",
    ...plain,
    rejected: plain.rejected ?? [],
    naming: plain.naming ?? null,
    graph_sha256: plain.graph_sha256 ?? null,
  } as ModelCard;
}
