// Protobuf without a schema: a message is a sequence of fields, each a tag, for text and messages a length, and a
// content (protobuf.dev/programming-guides/encoding). Enough to find the card in an ONNX file and to drop a field.
import { MienError } from "./errors.js";

export interface Field {
  readonly number: number;
  /** The field with its tag. */
  readonly start: number;
  readonly end: number;
  /** Where the content of a field of bytes starts; equal to `end` for numbers. */
  readonly content: number;
}

const damaged = (): MienError => new MienError("model", "truncated or not an ONNX file");

/** A number in groups of seven bits, lowest first; and where it ends. Lengths of files fit a double. */
function varint(bytes: Uint8Array, at: number): [value: number, end: number] {
  let value = 0;
  for (let shift = 0; shift < 64; shift += 7) {
    if (at >= bytes.length) throw damaged();
    const byte = bytes[at];
    value += (byte & 0x7f) * 2 ** shift;
    at += 1;
    if (byte < 0x80) return [value, at];
  }
  throw damaged();
}

/** The fields of a message in their order. Throws MienError where the bytes end inside a field or are no protobuf. */
export function* fields(bytes: Uint8Array): Generator<Field> {
  let end = 0;
  while (end < bytes.length) {
    const start = end;
    const [tag, after] = varint(bytes, start);
    const kind = tag % 8;
    const number = Math.floor(tag / 8);
    if (number === 0) throw damaged();
    let content = after;
    if (kind === 0) [, end] = varint(bytes, after);
    else if (kind === 2) {
      const [length, first] = varint(bytes, after);
      content = first;
      end = first + length;
    } else if (kind === 1 || kind === 5) end = after + (kind === 1 ? 8 : 4);
    else throw damaged();
    if (end > bytes.length) throw damaged();
    yield { number, start, end, content: kind === 2 ? content : end };
  }
}

/** What `without` drops of a message: null drops a field, a mapping goes on inside it. */
export interface Dropped {
  readonly [field: number]: Dropped | null | undefined;
}

/** The message without some of its fields. */
export function without(bytes: Uint8Array, dropped: Dropped): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { number, start, content, end } of fields(bytes)) {
    const inside = dropped[number];
    if (inside === undefined) parts.push(bytes.subarray(start, end));
    else if (inside !== null) {
      const inner = without(bytes.subarray(content, end), inside);
      parts.push(varintBytes(number * 8 + 2), varintBytes(inner.length), inner);
    }
  }
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function varintBytes(value: number): Uint8Array {
  const groups: number[] = [];
  while (value > 0x7f) {
    groups.push((value % 128) | 0x80);
    value = Math.floor(value / 128);
  }
  return Uint8Array.from([...groups, value]);
}
