// The stress panel: index with its interval, what it is compared with, how much of the window was seen, the level.
import { S, percent } from "./strings.js";

const SVG = "http://www.w3.org/2000/svg";
const RADIUS = 46;
const TURN = Math.PI * RADIUS; // half a circle

/** Show one person's mood in `root`; `baseline` is {seen_s, wanted_s}. */
export function showStress(root, mood, baseline) {
  if (!root.firstChild) build(root);
  const { arc, band, value, text, facts } = root.parts;
  const index = mood?.stress_index ?? null;
  const part = (low, high) => `${(TURN * (high - low)) / 100} ${TURN * 2}`;
  arc.setAttribute("stroke-dasharray", part(0, index ?? 0));
  band.setAttribute("stroke-dasharray", part(mood?.stress_low ?? 0, mood?.stress_high ?? 0));
  band.setAttribute("stroke-dashoffset", (-TURN * (mood?.stress_low ?? 0)) / 100);
  for (const each of [arc, band]) each.style.visibility = index === null ? "hidden" : "visible";
  value.textContent = index === null ? "–" : Math.round(index);
  if (index !== null) text.textContent = S.stress_range(mood.stress_low, mood.stress_high);
  else if (mood?.baseline === "learning") {
    text.textContent = S.stress_learning(Math.max(1, Math.ceil((baseline?.wanted_s ?? 60) - (baseline?.seen_s ?? 0))));
  } else text.textContent = S.stress_none;
  facts[0].textContent = mood ? S.baseline[mood.baseline] : "–";
  facts[1].textContent = mood ? percent(mood.coverage) : "–";
  facts[2].textContent = mood ? S.stress_level[mood.stress_level] : "";
  for (const each of [facts[2], facts[2].previousSibling]) each.hidden = !mood || mood.baseline === "learning";
}

function build(root) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "-54 -54 108 62");
  svg.setAttribute("aria-hidden", "true");
  const half = `M${-RADIUS} 0A${RADIUS} ${RADIUS} 0 0 1 ${RADIUS} 0`;
  const [track, band, arc] = ["track", "band", "arc"].map((name) => {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", half);
    path.setAttribute("class", name);
    svg.append(path);
    return path;
  });
  const value = document.createElement("p");
  value.className = "stress-value";
  const text = document.createElement("p");
  text.className = "stress-text";
  const dial = document.createElement("div");
  dial.className = "dial";
  dial.append(svg, value);
  const list = document.createElement("dl");
  const facts = [S.baseline_name, S.coverage, S.stress_level_name].map((name) => {
    const [term, fact] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    list.append(term, fact);
    return fact;
  });
  const side = document.createElement("div");
  side.append(text, list);
  root.append(dial, side);
  root.parts = { arc, band, track, value, text, facts };
}
