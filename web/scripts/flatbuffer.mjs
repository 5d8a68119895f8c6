// What the conversion of BlazeFace needs of the TFLite format: a FlatBuffers reader and the tables of one model.
// Field numbers are those of TensorFlow's schema.fbs (version 3).

/** A table of a flatbuffer: fields by number, missing ones undefined. */
class Table {
  constructor(view, at) {
    this.view = view;
    this.at = at;
  }

  #place(field) {
    const vtable = this.at - this.view.getInt32(this.at, true);
    const slot = 4 + 2 * field;
    if (slot >= this.view.getUint16(vtable, true)) return 0;
    const offset = this.view.getUint16(vtable + slot, true);
    return offset && this.at + offset;
  }

  int8(field, missing = 0) {
    const place = this.#place(field);
    return place ? this.view.getInt8(place) : missing;
  }

  int32(field, missing = 0) {
    const place = this.#place(field);
    return place ? this.view.getInt32(place, true) : missing;
  }

  table(field) {
    const place = this.#place(field);
    return place ? new Table(this.view, place + this.view.getUint32(place, true)) : undefined;
  }

  /** Where the elements of a vector start, and how many there are. */
  #vector(field) {
    const place = this.#place(field);
    if (!place) return [0, 0];
    const start = place + this.view.getUint32(place, true);
    return [start + 4, this.view.getUint32(start, true)];
  }

  int32s(field) {
    const [start, length] = this.#vector(field);
    return Array.from({ length }, (_, index) => this.view.getInt32(start + 4 * index, true));
  }

  bytes(field) {
    const [start, length] = this.#vector(field);
    return new Uint8Array(this.view.buffer, this.view.byteOffset + start, length);
  }

  tables(field) {
    const [start, length] = this.#vector(field);
    return Array.from({ length }, (_, index) => {
      const place = start + 4 * index;
      return new Table(this.view, place + this.view.getUint32(place, true));
    });
  }
}

/** The tensors and operators of a .tflite file's first graph. */
export function readTflite(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const model = new Table(view, view.getUint32(0, true));
  const codes = model.tables(1).map((code) => Math.max(code.int8(0), code.int32(3)));
  const buffers = model.tables(4).map((buffer) => buffer.bytes(0));
  const graph = model.tables(2)[0];
  return {
    tensors: graph.tables(0).map((tensor) => ({
      shape: tensor.int32s(0),
      type: tensor.int8(1), // 0 float32, 1 float16, 2 int32
      data: buffers[tensor.int32(2)],
    })),
    inputs: graph.int32s(1),
    outputs: graph.int32s(2),
    operators: graph.tables(3).map((operator) => ({
      code: codes[operator.int32(0)],
      inputs: operator.int32s(1),
      outputs: operator.int32s(2),
      options: operator.table(4),
    })),
  };
}
