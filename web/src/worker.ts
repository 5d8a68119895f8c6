// The worker: one recognizer, one request after the other, so that the page's own thread stays free.
import { MienError } from "./errors.js";
import type { Answer, Reply, Request } from "./messages.js";
import type { Pixels } from "./pixels.js";
import { Recognizer } from "./recognizer.js";
import { firstLine } from "./runtime.js";

let recognizer: Recognizer | undefined;
let canvas: OffscreenCanvas | undefined;
let queue = Promise.resolve();

self.onmessage = (event: MessageEvent<Request>) => {
  queue = queue.then(() => reply(event.data));
};

async function reply(request: Request): Promise<void> {
  let message: Reply;
  try {
    message = { id: request.id, answer: await answer(request) };
  } catch (error) {
    const code = error instanceof MienError ? error.code : "runtime";
    message = { id: request.id, error: { code, message: firstLine(error) } };
  }
  self.postMessage(message);
}

async function answer(request: Request): Promise<Answer> {
  if (request.do === "load") {
    recognizer = await Recognizer.load(request.settings);
    return recognizer.card;
  }
  if (recognizer === undefined) throw new MienError("model", "no model is loaded");
  if (request.do === "classify") return recognizer.classify(request.crops);
  const pixels = "data" in request.image ? request.image : drawn(request.image);
  return recognizer.recognize(pixels, request.source, request.thorough);
}

/** The pixels of a bitmap, transparency on white as in Python. */
function drawn(bitmap: ImageBitmap): Pixels {
  const { width, height } = bitmap;
  if (canvas?.width !== width || canvas.height !== height) canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
  if (context === null) throw new MienError("runtime", "this browser gives a worker no canvas; update it");
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
}
