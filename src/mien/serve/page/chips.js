// The set of emotions that holds the true one nine times in ten, as chips.
import { S, nameOf } from "./strings.js";
import { colourOf } from "./colours.js";
import { make } from "./dom.js";

/** Chips in `root`; it is hidden where the model promises no sets. */
export function showChips(root, emotions) {
  root.hidden = !emotions;
  const names = (emotions ?? []).join();
  if (root.dataset.names === names) return;
  root.dataset.names = names;
  const chips = (emotions ?? []).map((emotion) => {
    const chip = make("span", { className: "chip" }, nameOf(emotion));
    chip.style.borderColor = colourOf(emotion);
    return chip;
  });
  root.replaceChildren(make("span", { className: "chips-title" }, S.one_of), ...chips);
}
