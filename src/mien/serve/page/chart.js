// One drawing of mood over time, live and stored: a ribbon of emotions with episodes, valence and arousal, and stress.
//
// A row is {t, label, valence, arousal, stress, low, high}; t, from and to are seconds; stress may be null.
import { S, nameOf } from "./strings.js";
import { colourOf, fitted, font, inkOn, theme } from "./colours.js";
import { make } from "./dom.js";

const PAD = 12;
const LEFT = 38; // room for the axes' figures
const RIBBON = 26;
const EPISODE = 18;

/** Draw rows between `from` and `to`; `step` is the seconds of a row, `tick` makes a time's words. */
export function drawChart(canvas, { rows, episodes = [], from, to, step = 1, tick, learning = false }) {
  const { context, width, height } = fitted(canvas);
  const colours = theme();
  const x = (t) => LEFT + ((t - from) / (to - from)) * (width - LEFT - PAD);
  const seen = rows.filter((row) => row.t + step > from && row.t <= to);
  const bottom = height - 20;
  const ribbonTop = EPISODE + 4;
  const affect = { top: ribbonTop + RIBBON + 26 };
  const left = bottom - affect.top - 26;
  affect.height = left * 0.55;
  const stress = { top: affect.top + affect.height + 26, height: left * 0.45 };

  context.save();
  context.beginPath();
  context.rect(LEFT, 0, width - LEFT - PAD, height);
  context.clip();
  ticks(context, colours, x, from, to, tick, affect, stress);
  ribbon(context, seen, x, ribbonTop, step, colours);
  brackets(context, episodes, x, from, to, ribbonTop, colours);

  const y = (value) => affect.top + affect.height * (0.5 - value / 2);
  guide(context, colours, y(0), width, [4, 4]);
  line(context, seen, x, (row) => y(row.arousal), step, colours.second, [6, 4]);
  line(context, seen, x, (row) => y(row.valence), step, colours.accent);
  const s = (value) => stress.top + stress.height * (1 - value / 100);
  guide(context, colours, s(0), width);
  guide(context, colours, s(100), width, [2, 5]);
  const known = seen.filter((row) => row.stress !== null);
  band(context, known, x, s, step, colours.stress);
  line(context, known, x, (row) => s(row.stress), step, colours.stress);
  if (seen.length && !known.length) told(context, colours, learning ? S.lane_learning : S.lane_no_stress, width, s(50));
  context.restore();

  words(context, colours, x, from, to, width, bottom, tick);
  legend(context, colours, affect.top - 9, [[S.lane_affect[0], colours.accent, []], [S.lane_affect[1], colours.second, [6, 4]]]);
  legend(context, colours, stress.top - 9, [[S.lane_stress, colours.stress, []]]);
  ends(context, colours, [["+1", y(1) + 4], ["−1", y(-1) - 4], ["100", s(100) + 4], ["0", s(0) - 4]]);
}

function ticks(context, colours, x, from, to, tick, affect, stress) {
  for (const t of tick.times(from, to, stepFor(x, from, to))) {
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    context.beginPath();
    for (const lane of [affect, stress]) {
      context.moveTo(x(t), lane.top);
      context.lineTo(x(t), lane.top + lane.height);
    }
    context.stroke();
  }
}

/** Words under the ticks; those at the edges stay inside. */
function words(context, colours, x, from, to, width, bottom, tick) {
  context.font = font(11);
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  context.fillStyle = colours.quiet;
  for (const t of tick.times(from, to, stepFor(x, from, to))) {
    const text = tick.words(t);
    const half = context.measureText(text).width / 2;
    context.fillText(text, Math.min(Math.max(x(t) - half, LEFT), width - PAD - 2 * half), bottom + 15);
  }
}

function stepFor(x, from, to) {
  const steps = [5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 14400, 21600];
  const room = (x(to) - x(from)) / 90;
  return steps.find((each) => (to - from) / each <= room) ?? 43200;
}

function ribbon(context, rows, x, top, step, colours) {
  context.fillStyle = colours.faint;
  context.beginPath();
  context.roundRect(LEFT, top, context.canvas.width, RIBBON, 6);
  context.fill();
  let start = 0;
  rows.forEach((row, index) => {
    const next = rows[index + 1];
    if (next && next.label === row.label && next.t - row.t <= 2.5 * step) return;
    const [from, to] = [x(rows[start].t), x(row.t + step) + 0.5];
    context.fillStyle = colourOf(row.label);
    context.fillRect(from, top, Math.max(1, to - from), RIBBON);
    context.font = font(12, 600);
    context.textAlign = "left";
    context.textBaseline = "middle";
    const visible = Math.max(from, LEFT);
    const words = nameOf(row.label);
    if (to - visible > context.measureText(words).width + 14) {
      context.fillStyle = inkOn(colourOf(row.label));
      context.fillText(words, visible + 7, top + RIBBON / 2 + 0.5);
    }
    start = index + 1;
  });
}

function brackets(context, episodes, x, from, to, top, colours) {
  for (const { onset, peak, end } of episodes) {
    if ((end ?? to) < from || onset > to) continue;
    const [left, right] = [x(onset), Math.max(x(onset) + 3, x(end ?? to))];
    context.strokeStyle = colours.ink;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(left + 0.75, top - 3);
    context.lineTo(left + 0.75, top - 8);
    context.lineTo(right - 0.75, top - 8);
    if (end !== null) context.lineTo(right - 0.75, top - 3);
    context.stroke();
    context.fillStyle = colours.ink;
    context.beginPath();
    context.moveTo(x(peak) - 4.5, top - 16);
    context.lineTo(x(peak) + 4.5, top - 16);
    context.lineTo(x(peak), top - 9);
    context.fill();
  }
}

/** A polyline that breaks where rows are missing. */
function line(context, rows, x, y, step, colour, dash = []) {
  context.strokeStyle = colour;
  context.lineWidth = 2.25;
  context.lineJoin = "round";
  context.setLineDash(dash);
  context.beginPath();
  rows.forEach((row, index) => {
    const next = rows[index + 1];
    if (index === 0 || row.t - rows[index - 1].t > 2.5 * step) context.moveTo(x(row.t), y(row));
    context.lineTo(x(row.t + step / 2), y(row));
    if (!next || next.t - row.t > 2.5 * step) context.lineTo(x(row.t + step), y(row));
  });
  context.stroke();
  context.setLineDash([]);
}

function band(context, rows, x, y, step, colour) {
  context.fillStyle = colour;
  context.globalAlpha = 0.16;
  let run = [];
  rows.forEach((row, index) => {
    run.push(row);
    const next = rows[index + 1];
    if (next && next.t - row.t <= 2.5 * step) return;
    context.beginPath();
    for (const each of run) context.lineTo(x(each.t + step / 2), y(each.low));
    for (const each of run.reverse()) context.lineTo(x(each.t + step / 2), y(each.high));
    context.fill();
    run = [];
  });
  context.globalAlpha = 1;
}

function guide(context, colours, y, width, dash = []) {
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.setLineDash(dash);
  context.beginPath();
  context.moveTo(LEFT, y);
  context.lineTo(width - PAD, y);
  context.stroke();
  context.setLineDash([]);
}

function legend(context, colours, y, entries) {
  let x = LEFT;
  context.font = font(12, 550);
  context.textAlign = "left";
  context.textBaseline = "middle";
  for (const [words, colour, dash] of entries) {
    context.strokeStyle = colour;
    context.lineWidth = 2.5;
    context.setLineDash(dash);
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x + 18, y);
    context.stroke();
    context.setLineDash([]);
    context.fillStyle = colours.quiet;
    context.fillText(words, x + 24, y + 0.5);
    x += 24 + context.measureText(words).width + 18;
  }
}

/** Words in the middle of an empty lane, on as many lines as they need. */
function told(context, colours, words, width, y) {
  context.font = font(12);
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = colours.quiet;
  const lines = [""];
  for (const word of words.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (context.measureText(longer).width > width - LEFT - PAD - 16 && lines.at(-1)) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  lines.forEach((line, index) => {
    context.fillText(line, (LEFT + width - PAD) / 2, y + 16 * (index - (lines.length - 1) / 2));
  });
}

function ends(context, colours, marks) {
  context.font = font(10.5);
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.fillStyle = colours.quiet;
  for (const [words, y] of marks) context.fillText(words, LEFT - 6, y);
}

/** Episodes as the ribbon shows them: at least `least` seconds of one emotion other than neutral, without a gap. */
export function episodesOf(rows, step = 1, least = 3) {
  const found = [];
  let start = 0;
  rows.forEach((row, index) => {
    const next = rows[index + 1];
    if (next && next.label === row.label && next.t - row.t <= 2.5 * step) return;
    const part = rows.slice(start, index + 1);
    start = index + 1;
    const end = row.t + step;
    if (row.label === "neutral" || end - part[0].t < least) return;
    const peak = part.reduce((best, each) => ((each.confidence ?? 0) > (best.confidence ?? 0) ? each : best));
    found.push({ onset: part[0].t, peak: peak.t + step / 2, end });
  });
  return found;
}

/** The emotions of some rows with their colours, for people who cannot read them off the ribbon. */
export function keyOf(rows) {
  const names = [...new Set(rows.map((row) => row.label))];
  return make("p", { className: "key" }, ...names.map((name) => swatch(name)));
}

export function swatch(name) {
  const dot = make("i");
  dot.style.background = colourOf(name);
  return make("span", {}, dot, nameOf(name));
}
