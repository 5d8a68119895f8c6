// The live stream: frames out, results in. At most two frames are under way, so a slow line or server makes the picture
// rate fall and never the delay grow. Reconnects by itself, slower each time.
import { liveUrl } from "./api.js";

const UNDER_WAY = 2;
const MOST_FPS = 20; // the server may ask for less
const LOST_MS = 5000; // a frame without an answer for so long is given up
const MAGIC = [0x6d, 0x69, 0x65, 0x6e]; // "mien"

export class Live {
  /**
   * @param {() => Promise<Blob|null>} grab takes a frame
   * @param {{state: Function, hello: Function, result: Function, problem: Function}} told what happened
   */
  constructor(grab, told) {
    this.grab = grab;
    this.told = told;
    this.paused = false;
    this.wanted = null;
    this.sent = new Map();
    this.number = 0;
    this.tries = 0;
    this.rate = MOST_FPS;
    this.connections = 0;
  }

  /** Connect and stay connected until `stop`. */
  start(options) {
    this.wanted = options;
    this.paused = false;
    this.connections = 0;
    this.#connect();
  }

  stop() {
    this.wanted = null;
    clearTimeout(this.timer);
    this.socket?.close(1000);
  }

  pause(paused) {
    this.paused = paused;
    this.told.state(paused ? "paused" : this.socket?.readyState === WebSocket.OPEN ? "live" : "connecting");
  }

  command(type) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type }));
  }

  #connect() {
    this.told.state(this.tries ? "again" : "connecting");
    const socket = (this.socket = new WebSocket(liveUrl(this.wanted)));
    this.sent.clear();
    socket.onmessage = (event) => this.#take(JSON.parse(event.data));
    socket.onopen = () => this.#loop(socket);
    socket.onclose = (event) => {
      if (socket !== this.socket || !this.wanted) return;
      this.told.state(event.code === 1013 ? "full" : "again");
      const wait = Math.min(8000, 400 * 2 ** this.tries) * (0.75 + Math.random() / 2);
      this.tries += 1;
      this.timer = setTimeout(() => this.wanted && this.#connect(), wait);
    };
  }

  async #loop(socket) {
    let last = 0;
    while (socket === this.socket && socket.readyState === WebSocket.OPEN) {
      const now = performance.now();
      for (const [number, at] of this.sent) if (now - at > LOST_MS) this.sent.delete(number);
      const due = now - last >= 1000 / Math.min(MOST_FPS, this.rate);
      const most = this.rate < MOST_FPS ? 1 : UNDER_WAY;
      if (!this.paused && !document.hidden && due && this.sent.size < most && socket.bufferedAmount === 0) {
        last = now;
        const blob = await this.grab();
        if (blob && !this.paused && socket.readyState === WebSocket.OPEN) this.#send(socket, blob);
      }
      await new Promise((resolve) => setTimeout(resolve, 8));
    }
  }

  #send(socket, blob) {
    const head = new DataView(new ArrayBuffer(16));
    MAGIC.forEach((byte, index) => head.setUint8(index, byte));
    this.number = (this.number + 1) >>> 0;
    head.setUint32(4, this.number);
    head.setFloat64(8, performance.now() / 1000);
    this.sent.set(this.number, performance.now());
    socket.send(new Blob([head.buffer, blob]));
  }

  #take(message) {
    if (message.type === "hello") {
      this.tries = 0;
      this.told.state(this.paused ? "paused" : "live");
      this.connections += 1;
      this.told.hello(message, this.connections > 1);
    } else if (message.type === "result") {
      const sent = this.sent.get(message.id);
      this.rate = message.rate;
      for (const number of this.sent.keys()) if (number <= message.id) this.sent.delete(number); // older ones were replaced
      if (!this.paused) this.told.result(message, sent === undefined ? null : performance.now() - sent);
    } else if (message.type === "error") {
      if (message.id !== null) this.sent.delete(message.id);
      this.told.problem(message);
    }
  }
}
