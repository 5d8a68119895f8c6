// BlazeFace from @mediapipe/face_detection (Apache-2.0) as an ONNX file, so that one runtime runs detector and model.
//
//   node scripts/blazeface.mjs short_range out.onnx
//
// MediaPipe's own runtime is 5.7 MB of WebAssembly more and needs WebGL; the network alone is 0.2 MB. The weights are
// copied as they are, in half precision. Input: pictures uint8 (N, side, side, 3), RGB. Outputs as MediaPipe's:
// regressors (N, A, 16) in pixels around A anchors, classificators (N, A, 1), logits. Decoded in src/blazeface.ts.
//
// Bazarevsky et al. 2019, "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", arXiv:1907.05047.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readTflite } from "./flatbuffer.mjs";
import * as onnx from "./onnx.mjs";

const OPERATOR = { add: 0, concatenation: 2, conv: 3, depthwise: 4, dequantize: 6, maxPool: 17, relu: 19, reshape: 22, resize: 23, pad: 34 };
const SAME = 0; // the padding that keeps ceil(side / stride)
const LAYOUT = [0, 3, 1, 2]; // NHWC to NCHW

/** Convert a BlazeFace .tflite file's bytes. */
export function convert(bytes, name) {
  const { tensors, inputs, outputs, operators } = readTflite(bytes);
  const nodes = [];
  const constants = [onnx.floats("scale", [], [1 / 127.5]), onnx.floats("one", [], [1])];
  const stored = new Map(); // dequantised tensor -> the stored one
  const plain = new Set(); // tensors that are no longer pictures: their axes keep TFLite's order
  const t = (index) => `t${index}`;
  const side = tensors[inputs[0]].shape[1];

  nodes.push(
    onnx.node("Cast", ["pictures"], ["cast"], { to: onnx.TYPE.float }),
    onnx.node("Mul", ["cast", "scale"], ["scaled"]),
    onnx.node("Sub", ["scaled", "one"], ["centred"]), // -1 to 1
    onnx.node("Transpose", ["centred"], [t(inputs[0])], { perm: LAYOUT }),
  );

  /** A weight in ONNX's layout, as float32 in the graph; `order` are its axes in TFLite's. */
  const weight = (index, order) => {
    const { shape, type, data } = tensors[stored.get(index) ?? index];
    if (type !== 1) throw new Error(`expected weights in half precision, got type ${type}`);
    constants.push(onnx.tensor(`h${index}`, onnx.TYPE.float16, order.map((axis) => shape[axis]), permuted(data, shape, order)));
    nodes.push(onnx.node("Cast", [`h${index}`], [`w${index}`], { to: onnx.TYPE.float }));
    return `w${index}`;
  };

  /** An operator that may have an activation fused to it: 1 is ReLU. */
  const activated = (output, fused, make) => {
    if (fused > 1) throw new Error(`an activation of kind ${fused} is not known`);
    nodes.push(make(fused ? `${t(output)}_raw` : t(output)));
    if (fused) nodes.push(onnx.node("Relu", [`${t(output)}_raw`], [t(output)]));
  };

  const sides = (index) => tensors[index].shape.slice(1, 3);

  const write = {
    [OPERATOR.dequantize]: ({ inputs: [from], outputs: [to] }) => stored.set(to, from),
    [OPERATOR.conv]: ({ inputs: [from, kernel, bias], outputs: [to], options }) => {
      const [, high, wide] = tensors[kernel].shape;
      const strides = [options.int32(2), options.int32(1)];
      const pads = padding(options.int8(0), sides(from), [high, wide], strides);
      const names = [t(from), weight(kernel, [0, 3, 1, 2]), weight(bias, [0])];
      activated(to, options.int8(3), (name) => onnx.node("Conv", names, [name], { strides, pads, kernel_shape: [high, wide] }));
    },
    [OPERATOR.depthwise]: ({ inputs: [from, kernel, bias], outputs: [to], options }) => {
      const [, high, wide, channels] = tensors[kernel].shape;
      const strides = [options.int32(2), options.int32(1)];
      const pads = padding(options.int8(0), sides(from), [high, wide], strides);
      const names = [t(from), weight(kernel, [3, 0, 1, 2]), weight(bias, [0])];
      const attributes = { strides, pads, kernel_shape: [high, wide], group: channels };
      activated(to, options.int8(4), (name) => onnx.node("Conv", names, [name], attributes));
    },
    [OPERATOR.add]: ({ inputs: both, outputs: [to], options }) =>
      activated(to, options?.int8(0) ?? 0, (name) => onnx.node("Add", both.map(t), [name])),
    [OPERATOR.relu]: ({ inputs: [from], outputs: [to] }) => nodes.push(onnx.node("Relu", [t(from)], [t(to)])),
    [OPERATOR.maxPool]: ({ inputs: [from], outputs: [to], options }) => {
      const strides = [options.int32(2), options.int32(1)];
      const kernel = [options.int32(4), options.int32(3)];
      const pads = padding(options.int8(0), sides(from), kernel, strides);
      nodes.push(onnx.node("MaxPool", [t(from)], [t(to)], { strides, pads, kernel_shape: kernel }));
    },
    [OPERATOR.pad]: ({ inputs: [from, amounts], outputs: [to] }) => {
      const pairs = int32s(tensors[amounts].data); // before and after, axis by axis
      const ends = [0, 1].flatMap((end) => LAYOUT.map((axis) => pairs[2 * axis + end]));
      constants.push(onnx.int64s(`p${to}`, ends));
      nodes.push(onnx.node("Pad", [t(from), `p${to}`], [t(to)]));
    },
    [OPERATOR.resize]: ({ inputs: [from, size], outputs: [to], options }) => {
      const [high, wide] = int32s(tensors[size].data);
      const [fromHigh, fromWide] = sides(from);
      constants.push(onnx.floats(`r${to}`, [4], [1, 1, high / fromHigh, wide / fromWide]));
      if (options?.int8(2)) throw new Error("aligned corners are not known");
      const mode = options?.int8(3) ? "half_pixel" : "asymmetric";
      const attributes = { mode: "linear", coordinate_transformation_mode: mode };
      nodes.push(onnx.node("Resize", [t(from), "", `r${to}`], [t(to)], attributes));
    },
    [OPERATOR.reshape]: ({ inputs: [from], outputs: [to] }) => {
      nodes.push(onnx.node("Transpose", [t(from)], [`${t(to)}_last`], { perm: [0, 2, 3, 1] }));
      constants.push(onnx.int64s(`s${to}`, [-1, ...tensors[to].shape.slice(1)]));
      nodes.push(onnx.node("Reshape", [`${t(to)}_last`, `s${to}`], [t(to)]));
      plain.add(to);
    },
    [OPERATOR.concatenation]: ({ inputs: parts, outputs: [to], options }) => {
      if (!parts.every((part) => plain.has(part))) throw new Error("only what was reshaped is put together");
      nodes.push(onnx.node("Concat", parts.map(t), [t(to)], { axis: options.int32(0) }));
      plain.add(to);
    },
  };
  for (const operator of operators) {
    if (!write[operator.code]) throw new Error(`operator ${operator.code} is not known`);
    write[operator.code](operator);
  }

  const named = { regressors: outputs.find((each) => tensors[each].shape[2] === 16), classificators: outputs.find((each) => tensors[each].shape[2] === 1) };
  for (const [name_, index] of Object.entries(named)) nodes.push(onnx.node("Identity", [t(index)], [name_]));
  const anchors = tensors[named.regressors].shape[1];
  return onnx.model({
    name,
    nodes,
    constants,
    inputs: [onnx.value("pictures", onnx.TYPE.uint8, ["N", side, side, 3])],
    outputs: [onnx.value("regressors", onnx.TYPE.float, ["N", anchors, 16]), onnx.value("classificators", onnx.TYPE.float, ["N", anchors, 1])],
    opset: 13,
    metadata: { detector: "blazeface", side: `${side}`, licence: "Apache-2.0", source: `@mediapipe/face_detection, ${name}.tflite` },
  });
}

const int32s = (data) => {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  return Array.from({ length: data.length / 4 }, (_, index) => view.getInt32(4 * index, true));
};

/** Elements of two bytes with their axes in another order. */
function permuted(data, shape, order) {
  const steps = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, side) => product * side, 1));
  const out = new Uint8Array(data.length);
  const at = order.map(() => 0);
  for (let index = 0; index < data.length; index += 2) {
    const from = 2 * at.reduce((sum, place, axis) => sum + place * steps[order[axis]], 0);
    out[index] = data[from];
    out[index + 1] = data[from + 1];
    for (let axis = order.length - 1; axis >= 0; axis -= 1) {
      at[axis] += 1;
      if (at[axis] < shape[order[axis]]) break;
      at[axis] = 0;
    }
  }
  return out;
}

/** ONNX's pads (top, left, bottom, right) for TensorFlow's padding; what is odd goes to the end. */
function padding(kind, [high, wide], [kernelHigh, kernelWide], [strideHigh, strideWide]) {
  if (kind !== SAME) return [0, 0, 0, 0];
  const all = (side, kernel, stride) => Math.max(0, (Math.ceil(side / stride) - 1) * stride + kernel - side);
  const [y, x] = [all(high, kernelHigh, strideHigh), all(wide, kernelWide, strideWide)];
  return [Math.floor(y / 2), Math.floor(x / 2), Math.ceil(y / 2), Math.ceil(x / 2)];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [range, out] = process.argv.slice(2);
  const source = import.meta.resolve(`@mediapipe/face_detection/face_detection_${range}.tflite`);
  writeFileSync(out, convert(new Uint8Array(readFileSync(fileURLToPath(source))), `face_detection_${range}`));
}
