// Writes ONNX: the few messages of onnx.proto3 that a network without control flow needs.

const encoder = new TextEncoder();

const varint = (value) => {
  const bytes = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  return Uint8Array.from([...bytes, Number(rest)]);
};

const join = (parts) => {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
};

const number = (field, value) => join([varint(field << 3), varint(value)]);
const bytes = (field, content) => join([varint((field << 3) | 2), varint(content.length), content]);
const text = (field, content) => bytes(field, encoder.encode(content));

export const TYPE = { float: 1, uint8: 2, int64: 7, float16: 10 };

/** A constant; `data` is little-endian. */
export const tensor = (name, type, shape, data) =>
  join([...shape.map((side) => number(1, side)), number(2, type), text(8, name), bytes(9, data)]);

export const int64s = (name, values) =>
  tensor(name, TYPE.int64, [values.length], new Uint8Array(BigInt64Array.from(values, BigInt).buffer));

export const floats = (name, shape, values) =>
  tensor(name, TYPE.float, shape, new Uint8Array(Float32Array.from(values).buffer));

/** An attribute is an integer, a list of integers or a word. */
const attribute = ([name, value]) => {
  if (typeof value === "string") return join([text(1, name), text(4, value), number(20, 3)]);
  if (Array.isArray(value)) return join([text(1, name), ...value.map((each) => number(8, each)), number(20, 7)]);
  return join([text(1, name), number(3, value), number(20, 2)]);
};

export const node = (operator, inputs, outputs, attributes = {}) =>
  join([
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, operator),
    ...Object.entries(attributes).map((pair) => bytes(5, attribute(pair))),
  ]);

/** An input or output; a side is a number or, where it may vary, a name. */
export const value = (name, type, shape) => {
  const sides = shape.map((side) => bytes(1, typeof side === "string" ? text(2, side) : number(1, side)));
  return join([text(1, name), bytes(2, bytes(1, join([number(1, type), bytes(2, join(sides))])))]);
};

export function model({ name, nodes, constants, inputs, outputs, opset, metadata }) {
  const graph = join([
    ...nodes.map((each) => bytes(1, each)),
    text(2, name),
    ...constants.map((each) => bytes(5, each)),
    ...inputs.map((each) => bytes(11, each)),
    ...outputs.map((each) => bytes(12, each)),
  ]);
  const entries = Object.entries(metadata).map(([key, words]) => bytes(14, join([text(1, key), text(2, words)])));
  return join([number(1, 8), text(2, "mien"), bytes(7, graph), bytes(8, number(2, opset)), ...entries]);
}
