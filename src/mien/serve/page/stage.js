// The camera's picture with a box, a name and the probabilities for each face; or, hidden, a drawing of the figures.
import { S, nameOf, percent } from "./strings.js";
import { OTHER, colourOf, fitted, font, inkOn, theme } from "./colours.js";
import { drawFace } from "./glyph.js";

const TOP = 3; // probabilities beside a face

export class Stage {
  constructor(root) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.note = root.querySelector("#stage-note");
    this.hidden = false;
    this.message = null;
    this.boxes = []; // of the faces as they are drawn, in pixels of the stage
  }

  /** The person whose face is at a place on the stage; null where there is none. */
  personAt(x, y) {
    const hit = this.boxes.find((each) => x >= each.x && x <= each.x + each.w && y >= each.y && y <= each.y + each.h);
    return hit?.person ?? null;
  }

  /** Show a result; `followed` is the person whose box is drawn strongest. */
  show(message, followed) {
    this.message = message;
    this.followed = followed;
    this.draw();
  }

  hide(hidden) {
    this.hidden = hidden;
    this.root.classList.toggle("drawn", hidden);
    this.draw();
  }

  say(text) {
    this.note.textContent = text ?? "";
    this.note.hidden = !text;
  }

  draw() {
    const { context, width, height } = fitted(this.canvas);
    if (this.hidden) {
      context.fillStyle = theme().stage;
      context.fillRect(0, 0, width, height);
    }
    const message = this.message;
    const moods = new Map((message?.moods ?? []).map((mood) => [mood.track_id, mood]));
    const scale = message ? Math.min(width / message.width, height / message.height) : 1;
    const [left, top] = message ? [(width - message.width * scale) / 2, (height - message.height * scale) / 2] : [0, 0];
    const spoken = [];
    const plates = [];
    const several = (message?.faces.length ?? 0) > 1;
    this.boxes = [];
    for (const face of message?.faces ?? []) {
      const mood = moods.get(face.track_id);
      const [x1, y1, x2, y2] = face.box_xyxy;
      // Mirrored, as people know themselves.
      const box = { x: width - left - x2 * scale, y: top + y1 * scale, w: (x2 - x1) * scale, h: (y2 - y1) * scale };
      this.boxes.push({ ...box, person: face.track_id });
      // One decision for badge, box and panel: the server's, on the smoothed scores.
      const { label, accepted, confidence, scores } = mood ?? { ...face, label: face.emotion };
      const colour = accepted ? colourOf(label) : OTHER;
      if (this.hidden && mood) {
        drawFace(context, box.x + box.w / 2, box.y + box.h / 2, box.h * 0.52, mood, colour, inkOn(colour));
      } else {
        outline(context, box, colour, accepted, face.track_id === this.followed);
      }
      const number = several ? `${face.track_id} · ` : "";
      const words = `${number}${accepted ? "" : `${S.unsure}: `}${nameOf(label)}  ${percent(confidence)}`;
      plate(context, box, words, colour, width, plates);
      if (!several || face.track_id === this.followed) ranking(context, box, scores, label, width, height);
      spoken.push(words);
    }
    this.canvas.setAttribute("aria-label", S.overlay(spoken));
  }
}

function outline(context, box, colour, accepted, followed) {
  const radius = Math.min(14, box.w * 0.12);
  context.lineWidth = followed ? 3.5 : 2.5;
  context.setLineDash(accepted ? [] : [9, 8]);
  for (const [ink, wider] of [["rgba(0,0,0,.45)", 2], [colour, 0]]) {
    context.strokeStyle = ink;
    context.lineWidth += wider;
    context.beginPath();
    context.roundRect(box.x, box.y, box.w, box.h, radius);
    context.stroke();
    context.lineWidth -= wider;
  }
  context.setLineDash([]);
}

/** A badge above a face; moved up or down where it would cover another one. */
function plate(context, box, words, colour, width, plates) {
  context.font = font(14, 650);
  context.textBaseline = "middle";
  const w = context.measureText(words).width + 18;
  const x = Math.min(Math.max(4, box.x), Math.max(4, width - w - 4));
  let y = box.y >= 34 ? box.y - 32 : box.y + 6;
  const covers = () => plates.find((each) => x < each.x + each.w && each.x < x + w && Math.abs(each.y - y) < 28);
  for (let tries = 0; tries < 6 && covers(); tries += 1) y = covers().y + 29;
  plates.push({ x, y, w });
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(x, y, w, 26, 8);
  context.fill();
  context.fillStyle = inkOn(colour);
  context.textAlign = "left";
  context.fillText(words, x + 9, y + 13.5);
}

function ranking(context, box, scores, shown, width, height) {
  const rows = Object.entries(scores).sort((a, b) => b[1] - a[1]).filter(([name]) => name !== shown).slice(0, TOP - 1);
  context.font = font(12.5, 550);
  const lines = rows.map(([name, score]) => [name, score, `${nameOf(name)}  ${percent(score)}`]);
  const w = Math.max(...lines.map((line) => context.measureText(line[2]).width)) + 30;
  const h = lines.length * 19 + 8;
  const x = Math.min(Math.max(4, box.x), Math.max(4, width - w - 4));
  const y = Math.min(box.y + box.h + 7, height - h - 4);
  context.fillStyle = "rgba(15,19,26,.72)";
  context.beginPath();
  context.roundRect(x, y, w, h, 8);
  context.fill();
  lines.forEach(([name, , words], index) => {
    const middle = y + 4 + 19 * (index + 0.5);
    context.fillStyle = colourOf(name);
    context.beginPath();
    context.arc(x + 12, middle, 4, 0, 2 * Math.PI);
    context.fill();
    context.fillStyle = "#F5F6F8";
    context.fillText(words, x + 22, middle + 0.5);
  });
}
