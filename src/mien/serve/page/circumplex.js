// Valence and arousal as a moving point with a trail, among the places that the literature gives the emotions
// (Russell and Mehrabian 1977). A projection of probabilities, so the point stays inside the emotions' outline.
import { S, nameOf } from "./strings.js";
import { colourOf, fitted, font, theme } from "./colours.js";

export const PLACES = {
  happy: [0.81, 0.51],
  angry: [-0.51, 0.59],
  disgust: [-0.6, 0.35],
  fear: [-0.64, 0.6],
  sad: [-0.63, -0.27],
  surprise: [0.4, 0.67],
  neutral: [0, 0],
};
const BESIDE = { angry: [1, -1], fear: [-1, -1], disgust: [1, 1], neutral: [1, 1], surprise: [-1, -1] };
const TRAIL_S = 20;

export class Circumplex {
  constructor(canvas) {
    this.canvas = canvas;
    this.points = [];
  }

  add(t, { valence, arousal, label }) {
    this.points.push({ t, valence, arousal, label });
    while (this.points.length && t - this.points[0].t > TRAIL_S) this.points.shift();
  }

  clear() {
    this.points = [];
  }

  draw() {
    const { context, width, height } = fitted(this.canvas);
    const colours = theme();
    const narrow = width < 350; // the words at the sides go under the axis
    const r = Math.max(1, Math.min(width / 2 - (narrow ? 10 : 78), height / 2 - 20)); // no size while hidden
    const [cx, cy] = [width / 2, height / 2];
    const at = (valence, arousal) => [cx + valence * r, cy - arousal * r];

    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    for (const share of [0.5, 1]) {
      context.beginPath();
      context.arc(cx, cy, r * share, 0, 2 * Math.PI);
      context.stroke();
    }
    context.beginPath();
    context.moveTo(cx - r, cy);
    context.lineTo(cx + r, cy);
    context.moveTo(cx, cy - r);
    context.lineTo(cx, cy + r);
    context.stroke();

    context.fillStyle = colours.quiet;
    context.font = font(12);
    context.textBaseline = "middle";
    const axes = S.affect_axes;
    context.textAlign = "center";
    context.fillText(axes.up, cx, cy - r - 10);
    context.fillText(axes.down, cx, cy + r + 11);
    context.textAlign = narrow ? "right" : "left";
    context.fillText(axes.right, cx + r + (narrow ? 0 : 8), cy + (narrow ? 12 : 0));
    context.textAlign = narrow ? "left" : "right";
    context.fillText(axes.left, cx - r - (narrow ? 0 : 8), cy + (narrow ? 12 : 0));

    context.font = font(11.5);
    for (const [name, affect] of Object.entries(PLACES)) {
      const [x, y] = at(...affect);
      const [dx, dy] = BESIDE[name] ?? [1, -1];
      context.fillStyle = colourOf(name);
      context.beginPath();
      context.arc(x, y, 3.5, 0, 2 * Math.PI);
      context.fill();
      context.fillStyle = colours.quiet;
      context.textAlign = dx > 0 ? "left" : "right";
      const room = context.measureText(nameOf(name)).width;
      const place = dx > 0 ? Math.min(x + 6, width - room) : Math.max(x - 6, room);
      context.fillText(nameOf(name), place, y + 8 * dy);
    }

    const now = this.points.at(-1);
    if (!now) return;
    context.lineCap = "round";
    for (let index = 1; index < this.points.length; index += 1) {
      const [from, to] = [this.points[index - 1], this.points[index]];
      const age = (now.t - to.t) / TRAIL_S;
      context.globalAlpha = 0.75 * (1 - age) ** 1.5;
      context.strokeStyle = colours.accent;
      context.lineWidth = 1 + 3.5 * (1 - age);
      context.beginPath();
      context.moveTo(...at(from.valence, from.arousal));
      context.lineTo(...at(to.valence, to.arousal));
      context.stroke();
    }
    context.globalAlpha = 1;
    const [x, y] = at(now.valence, now.arousal);
    context.beginPath();
    context.arc(x, y, 8.5, 0, 2 * Math.PI);
    context.fillStyle = colourOf(now.label);
    context.fill();
    context.lineWidth = 2.5;
    context.strokeStyle = colours.ink;
    context.stroke();
    this.canvas.setAttribute("aria-label", S.affect_label(now.valence, now.arousal));
  }
}
