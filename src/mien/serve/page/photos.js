// Photos: dropped anywhere on the page or chosen; recognised one after the other, shown with boxes and bars, forgotten.
import { S, percent } from "./strings.js";
import { ask } from "./api.js";
import { showBars } from "./bars.js";
import { colourOf, inkOn } from "./colours.js";
import { byId, make } from "./dom.js";

const MOST_SHOWN = 40;

export function setUp(showView) {
  const input = byId("files");
  input.onchange = () => {
    take(input.files);
    input.value = "";
  };
  let depth = 0;
  const over = (on) => document.body.classList.toggle("dropping", on);
  const files = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragenter", (event) => files(event) && over(++depth > 0));
  addEventListener("dragleave", (event) => files(event) && over(--depth > 0));
  addEventListener("dragover", (event) => files(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    over((depth = 0));
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
    const result = await patient(() =>
      ask("/v1/recognize", { method: "POST", body: file, headers: { "Content-Type": file.type || "application/octet-stream" } }),
    );
    const { faces, width, height } = await result.json();
    tell(faces.length ? S.photo_faces(faces.length) : S.photo_none);
    const image = make("img", { alt: `${file.name}: ${faces.map((face) => face.emotion).join(", ") || S.photo_none}` });
    image.src = URL.createObjectURL(file);
    const frame = make("div", { className: "photo-frame" }, image, ...faces.map((face) => box(face, width, height)));
    const lists = faces.map((face, index) => {
      const bars = make("div", { className: "bars" });
      showBars(bars, face.scores, face.emotion);
      const title = `${faces.length > 1 ? `${S.face(index + 1)}: ` : ""}${face.accepted ? "" : `${S.unsure}: `}${face.emotion}`;
      return make("div", { className: "photo-face" }, make("h3", {}, title), bars);
    });
    card.append(make("div", { className: "photo-row" }, frame, make("div", { className: "photo-faces" }, ...lists)));
  } catch (error) {
    card.classList.add("failed");
    tell(error.message);
  }
}

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

function box(face, width, height) {
  const [x1, y1, x2, y2] = face.box_xyxy;
  const colour = face.accepted ? colourOf(face.emotion) : "#8A93A0";
  const words = make("span", {}, `${face.emotion} ${percent(face.confidence)}`);
  words.style.background = colour;
  words.style.color = inkOn(colour);
  const element = make("div", { className: `photo-box${face.accepted ? "" : " unsure"}` }, words);
  Object.assign(element.style, {
    left: `${(100 * x1) / width}%`,
    top: `${(100 * y1) / height}%`,
    width: `${(100 * (x2 - x1)) / width}%`,
    height: `${(100 * (y2 - y1)) / height}%`,
    borderColor: colour,
  });
  return element;
}
