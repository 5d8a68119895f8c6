// A distribution over emotions as bars, in the model's own order so that bars do not jump about.
import { nameOf, percent } from "./strings.js";
import { colourOf } from "./colours.js";

/** Show `scores` in `root`; `best` is set in bold. */
export function showBars(root, scores, best) {
  const names = Object.keys(scores);
  if (root.childElementCount !== names.length || root.dataset.names !== names.join()) {
    root.dataset.names = names.join();
    root.replaceChildren(...names.map(bar));
  }
  names.forEach((name, index) => {
    const row = root.children[index];
    const meter = row.children[1];
    row.classList.toggle("best", name === best);
    meter.setAttribute("aria-valuenow", Math.round(100 * scores[name]));
    meter.setAttribute("aria-valuetext", percent(scores[name]));
    meter.firstChild.style.transform = `scaleX(${scores[name]})`;
    row.children[2].textContent = percent(scores[name]);
  });
}

function bar(name) {
  const row = document.createElement("div");
  row.className = "bar";
  const [label, meter, value] = ["span", "div", "span"].map((tag) => document.createElement(tag));
  label.textContent = nameOf(name);
  meter.className = "meter";
  for (const [key, text] of [["role", "meter"], ["aria-label", nameOf(name)], ["aria-valuemin", 0], ["aria-valuemax", 100]]) {
    meter.setAttribute(key, text);
  }
  const fill = document.createElement("i");
  fill.style.background = colourOf(name);
  meter.append(fill);
  value.className = "value";
  row.append(label, meter, value);
  return row;
}
