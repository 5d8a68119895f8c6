// Photos: dropped anywhere on the page or chosen; recognised one after the other, shown with boxes and bars, forgotten.
import { S, megabytes, nameOf, percent } from "./strings.js";
import { about } from "./about.js";
import { ask } from "./api.js";
import { showBars } from "./bars.js";
import { showChips } from "./chips.js";
import { OTHER, colourOf, inkOn } from "./colours.js";
import { byId, make } from "./dom.js";

const MOST_SHOWN = 40;

export function setUp(showView) {
  const input = byId("files");
  input.onchange = () => {
    take(input.files);
    input.value = "";
  };
  byId("large-close").onclick = () => byId("large").close();
  let depth = 0;
  const over = (on) => document.body.classList.toggle("dropping", on);
  const files = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragenter", (event) => files(event) && over(++depth > 0));
  addEventListener("dragleave", (event) => files(event) && over(--depth > 0));
  addEventListener("dragover", (event) => files(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    over((depth = 0) > 0);
    showView("photos");
    take(event.dataTransfer.files);
  });
}

async function take(files) {
  const waiting = [...files].map((file) => ({ file, card: placeholder(file) }));
  for (const { file, card } of waiting) await recognise(file, card);
  while (byId("photo-results").childElementCount > MOST_SHOWN) byId("photo-results").lastChild.remove();
}

function placeholder(file) {
  const card = make("article", { className: "card photo" }, make("h2", {}, file.name), make("p", { className: "quiet" }, S.photo_busy));
  byId("photo-results").prepend(card);
  return card;
}

async function recognise(file, card) {
  const tell = (words) => (card.querySelector("p").textContent = words);
  try {
    const answer = await patient(() =>
      ask("/v1/recognize", { method: "POST", body: file, headers: { "Content-Type": file.type || "application/octet-stream" } }),
    );
    const result = await answer.json();
    const found = result.faces.length ? S.photo_faces(result.faces.length) : S.photo_none;
    tell(S.photo_facts(found, megabytes(file.size), about.detector ?? "–"));
    show(card, file, result);
  } catch (error) {
    card.classList.add("failed");
    tell(`${megabytes(file.size)} · ${error.message}`);
  }
}

/** The photo with its boxes, and one button with bars for each face; a face and its button light up together. */
function show(card, file, { faces, width, height }) {
  const url = URL.createObjectURL(file);
  const title = faces.map((face) => named(face)).join(", ") || S.photo_none;
  const frame = () => {
    const boxes = faces.map((face, index) => box(face, index, faces.length, width, height));
    return make("div", { className: "photo-frame" }, make("img", { src: url, alt: `${file.name}: ${title}` }), ...boxes);
  };
  const picture = frame();
  const open = () => {
    byId("large-title").textContent = file.name;
    byId("large-body").replaceChildren(frame());
    byId("large").showModal();
  };
  const light = (index, on) => {
    for (const part of card.querySelectorAll(`[data-face="${index}"]`)) part.classList.toggle("lit", on);
  };
  const lists = faces.map((face, index) => {
    const bars = make("div", { className: "bars" });
    showBars(bars, face.scores, face.emotion);
    const chips = make("p", { className: "chips" });
    showChips(chips, face.emotions_90);
    const words = `${faces.length > 1 ? `${S.face(index + 1)}: ` : ""}${named(face)}`;
    const part = make("section", { className: "photo-face", tabIndex: 0, "data-face": index }, make("h3", {}, words), bars, chips);
    for (const [kind, on] of [["focus", true], ["blur", false], ["pointerenter", true], ["pointerleave", false]]) {
      part.addEventListener(kind, () => light(index, on));
    }
    return part;
  });
  picture.querySelectorAll(".photo-box").forEach((each, index) => {
    each.onclick = () => lists[index].focus();
  });
  const large = make("button", { type: "button", className: "photo-open", onclick: open }, S.photo_large);
  card.append(
    make("div", { className: "photo-row" }, make("div", {}, picture, large), make("div", { className: "photo-faces" }, ...lists)),
  );
}

const named = (face) => `${face.accepted ? "" : `${S.unsure}: `}${nameOf(face.emotion)}`;

/** Wait and ask again where the server is busy. */
async function patient(step, tries = 6) {
  for (let wait = 500; ; wait *= 2) {
    try {
      return await step();
    } catch (error) {
      if (error.status !== 429 || (tries -= 1) === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

/** A face's frame. One face has its name on it; several have numbers, which never cover each other's faces. */
function box(face, index, count, width, height) {
  const [x1, y1, x2, y2] = face.box_xyxy;
  const colour = face.accepted ? colourOf(face.emotion) : OTHER;
  const words = make("span", {}, count === 1 ? `${nameOf(face.emotion)} ${percent(face.confidence)}` : `${index + 1}`);
  words.style.background = colour;
  words.style.color = inkOn(colour);
  if (y1 < 0.08 * height) words.className = "inside";
  const element = make("div", { className: `photo-box${face.accepted ? "" : " unsure"}`, "data-face": index }, words);
  Object.assign(element.style, {
    left: `${(100 * x1) / width}%`,
    top: `${(100 * y1) / height}%`,
    width: `${(100 * (x2 - x1)) / width}%`,
    height: `${(100 * (y2 - y1)) / height}%`,
    borderColor: colour,
  });
  return element;
}
