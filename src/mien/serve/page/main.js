// The page: which view is shown, the controls of the live view, and where results go.
import { S, fill, nameOf, percent } from "./strings.js";
import { about } from "./about.js";
import { ask, askJson, download, remember } from "./api.js";
import { closeCamera, grab, openCamera } from "./camera.js";
import { showBars } from "./bars.js";
import { showChips } from "./chips.js";
import { Circumplex } from "./circumplex.js";
import { OTHER, colourOf, fitted, inkOn, theme } from "./colours.js";
import { banner, byId, confirmed, make, notice } from "./dom.js";
import { drawFace } from "./glyph.js";
import * as past from "./history.js";
import { Live } from "./live.js";
import * as moments from "./moments.js";
import * as photos from "./photos.js";
import { Stage } from "./stage.js";
import { showStress } from "./stress.js";
import { Timeline } from "./timeline.js";

fill(document);
const video = byId("video");
const stage = new Stage(byId("stage"));
const circumplex = new Circumplex(byId("circumplex"));
const timeline = new Timeline(byId("timeline"), byId("timeline-table"), byId("timeline-key"));
const still = matchMedia("(prefers-reduced-motion: reduce)");

let followed = null; // the person whose figures are shown
let chosen = false; // whether the visitor chose them
let session = null; // its number in the history
let gone = 0; // results without the person followed
let spoken = { label: null, at: 0 };
const speed = { times: [], delay: null };
let chipped = 0; // when the chips were last changed

// ---- views

const VIEWS = ["live", "history", "photos"];

function showView(name) {
  if (!VIEWS.includes(name)) name = "live";
  if (location.hash !== `#${name}`) history.replaceState(null, "", `#${name}`);
  for (const view of VIEWS) byId(`view-${view}`).hidden = view !== name;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = name === "live" ? "mien" : `mien · ${S[`nav_${name}`]}`;
  if (name === "history") past.show();
  if (name === "live") draw();
}

addEventListener("hashchange", () => {
  showView(location.hash.slice(1));
  byId("content").focus({ preventScroll: true });
});
byId("theme").onclick = window.toggleTheme;
document.addEventListener("themechange", () => setTimeout(draw, 50));
addEventListener("resize", () => requestAnimationFrame(draw));

// ---- live

const live = new Live(() => grab(video), {
  state: showState,
  hello(message, again) {
    timeline.newClock();
    remember(message.visitor);
    keptAs(message.session, message.keeping);
    if (again) notice(S.resumed, S.go_on);
    banner(message.store_problem && S.error_store(message.store_problem));
  },
  result: showResult,
  problem(message) {
    banner(S.error_frames(message.detail));
  },
});

function showState(kind) {
  byId("state").dataset.kind = kind;
  byId("state-text").textContent = S[`state_${kind}`];
  const lost = ["again", "full", "connecting"].includes(kind);
  stage.say(kind === "paused" ? S.stage_paused : lost ? S[`state_${kind}`] : null);
  setStale(lost ? S.no_connection : kind === "paused" ? S.state_paused : null);
  byId("on-air").hidden = kind !== "live";
}

/** Figures that are not of now are dimmed, with the reason in words; null takes that back. */
function setStale(reason) {
  byId("live-grid").classList.toggle("stale", reason !== null);
  byId("now-stale").textContent = reason ?? "";
  byId("now-stale").hidden = reason === null;
  byId("now-label").hidden = byId("now-sure").hidden = reason !== null;
}

function keptAs(number, keeping = true) {
  session = number;
  byId("kept").textContent = number !== null ? S.kept_yes(number) : keeping && byId("keep").checked ? S.kept_soon : S.kept_no;
  byId("kept").classList.toggle("yes", number !== null);
  byId("exports").hidden = byId("delete").hidden = number === null;
}

byId("consent").onsubmit = async (event) => {
  event.preventDefault();
  byId("start").disabled = true;
  showState("asking");
  try {
    await openCamera(video);
  } catch (error) {
    showState("off");
    banner(error.message);
    return;
  } finally {
    byId("start").disabled = false;
  }
  banner(null);
  byId("consent").hidden = true;
  byId("live-grid").hidden = false;
  byId("stage").style.aspectRatio = `${video.videoWidth || 4} / ${video.videoHeight || 3}`;
  timeline.clear();
  circumplex.clear();
  [followed, chosen, gone] = [null, false, 0];
  live.start(options());
  byId("pause").focus();
};

const options = () => ({ keep: byId("keep").checked, baseline: byId("baseline").checked, personal: moments.wantsOwn() });

function reconnect() {
  if (!live.wanted) return;
  live.stop();
  live.start(options());
}

function stop() {
  live.stop();
  closeCamera(video);
  setPaused(false);
  showState("off");
  stage.show(null, null);
  byId("consent").hidden = false;
  byId("live-grid").hidden = true;
  byId("start").focus();
  draw();
}

function setPaused(paused) {
  byId("pause").setAttribute("aria-pressed", paused);
  byId("pause").lastChild.textContent = paused ? S.resume : S.pause;
}

function pause() {
  const paused = !live.paused;
  setPaused(paused);
  live.pause(paused);
  paused ? video.pause() : video.play();
}

function hide() {
  const hidden = !stage.hidden;
  byId("drawing").setAttribute("aria-pressed", hidden);
  stage.hide(hidden);
}

byId("pause").onclick = pause;
byId("drawing").onclick = hide;
byId("relearn").onclick = () => live.command("relearn");
byId("stop").onclick = stop;
byId("overlay").onclick = (event) => {
  const person = stage.personAt(event.offsetX, event.offsetY);
  if (person !== null) choose(person);
};
byId("overlay").onpointermove = (event) => {
  event.target.classList.toggle("on-face", stage.personAt(event.offsetX, event.offsetY) !== null);
};
for (const button of document.querySelectorAll("[data-sign]")) button.onclick = () => byId("sign").showModal();
byId("sign-close").onclick = () => byId("sign").close();
byId("sign-print").onclick = () => print();
document.addEventListener("visibilitychange", () => {
  if (!live.wanted || live.paused) return;
  if (document.hidden) showState("hidden");
  else showState(live.socket?.readyState === WebSocket.OPEN ? "live" : "again");
});
addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || byId("live-grid").hidden || byId("view-live").hidden) return;
  const action = { p: pause, d: hide, b: byId("relearn").onclick }[event.key.toLowerCase()];
  if (action) {
    event.preventDefault();
    action();
  }
});

for (const button of byId("span").children) {
  button.textContent = S.minutes(button.dataset.minutes);
  button.onclick = () => {
    timeline.minutes = Number(button.dataset.minutes);
    for (const each of byId("span").children) each.setAttribute("aria-pressed", each === button);
    draw();
  };
}
for (const button of byId("exports").children) {
  button.onclick = () => download(`/v1/sessions/${session}/export?format=${button.dataset.format}`).catch((error) => banner(error.message));
}
byId("delete").onclick = async () => {
  const number = session;
  if (!(await confirmed(S.delete_ask(number), S.delete_yes))) return;
  try {
    await ask(`/v1/sessions/${number}`, { method: "DELETE" });
    keptAs(null, false);
    byId("announce").textContent = S.deleted;
  } catch (error) {
    banner(error.message);
  }
};

// ---- results

function showResult(message, delayMs) {
  const now = performance.now() / 1000;
  measure(now, delayMs);
  timeline.add(now, message);
  follow(message);
  const mood = message.moods.find((each) => each.track_id === followed);
  if (mood) {
    setStale(null);
    circumplex.add(now, mood);
    showNow(mood);
    const face = message.faces.find((each) => each.track_id === followed);
    if (face && now - chipped > 0.7) {
      chipped = now;
      showChips(byId("now-set"), face.emotions_90);
    }
    showStress(byId("stress"), mood, message.baselines[followed]);
    announce(mood, now);
  } else if (!message.moods.length && gone > 10) setStale(S.nobody);
  showGroup(message.moods);
  byId("stage").dataset.faces = message.faces.length;
  const slowed = live.rate < 5 && S.busy(live.rate);
  stage.say(!message.faces.length && gone >= 10 ? S.stage_no_face : slowed || null);
  stage.show(message, followed);
  if (message.session !== session) keptAs(message.session, message.session !== null);
  if (message.store_problem !== undefined) {
    const words = message.store_problem && S.error_store(message.store_problem);
    if (words || byId("banner").textContent.startsWith(S.error_store("").slice(0, 20))) banner(words);
  }
}

/** Follow the person chosen, or the largest face; let go of somebody who has left. */
function follow(message) {
  const here = message.moods.map((mood) => mood.track_id);
  gone = here.includes(followed) ? 0 : gone + 1;
  if (here.length && (followed === null || gone > 15 || (!chosen && !here.includes(followed)))) {
    [followed, chosen, gone] = [here[0], false, 0];
    circumplex.clear();
  }
  const root = byId("people");
  const people = here.length > 1 ? [...here].sort((a, b) => a - b) : [];
  const labels = new Map(message.moods.map((mood) => [mood.track_id, mood.accepted ? nameOf(mood.label) : S.unsure]));
  const state = people.map((number) => `${number} ${labels.get(number)}`).join() + `:${followed}`;
  if (root.dataset.people !== state) {
    root.dataset.people = state;
    const focused = root.contains(document.activeElement) ? document.activeElement.dataset.person : null;
    root.replaceChildren(
      ...people.map((number) =>
        make(
          "button",
          { type: "button", "aria-pressed": `${number === followed}`, "data-person": number, onclick: () => choose(number) },
          S.person_shows(number, labels.get(number)),
        ),
      ),
    );
    if (focused) root.querySelector(`[data-person="${focused}"]`)?.focus();
  }
}

function choose(number) {
  [followed, chosen, gone] = [number, true, 0];
  circumplex.clear();
}

/** Where several people are in view: how many show what. */
function showGroup(moods) {
  const counts = new Map();
  for (const mood of moods) {
    const name = mood.accepted ? nameOf(mood.label) : S.unsure;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const shares = [...counts].sort((a, b) => b[1] - a[1]).map(([name, count]) => `${count} ${name}`);
  byId("group").textContent = moods.length > 1 ? S.group(moods.length, shares.join(", ")) : "";
}

function showNow(mood) {
  const label = byId("now-label");
  label.textContent = nameOf(mood.label);
  label.classList.toggle("unsure", !mood.accepted);
  label.style.setProperty("--mark", mood.accepted ? colourOf(mood.label) : OTHER);
  byId("now-sure").textContent = `${mood.accepted ? "" : `${S.unsure}, `}${percent(mood.confidence)}`;
  showBars(byId("bars"), mood.scores, mood.label);
}

/** Say a new emotion to screen readers, not more often than every five seconds. */
function announce(mood, now) {
  if (mood.label === spoken.label || now - spoken.at < 5) return;
  spoken = { label: mood.label, at: now };
  byId("announce").textContent = S.announce(nameOf(mood.label), mood.track_id);
}

function measure(now, delayMs) {
  speed.times.push(now);
  while (now - speed.times[0] > 3) speed.times.shift();
  if (delayMs !== null) speed.delay = speed.delay === null ? delayMs : 0.9 * speed.delay + 0.1 * delayMs;
  const span = now - speed.times[0];
  if (span > 0.5 && speed.delay !== null) {
    byId("figures").textContent = S.figures((speed.times.length - 1) / span, speed.delay);
  }
}

// ---- drawing, apart from the results: a few times a second, less where motion is not wanted

function draw() {
  if (byId("view-live").hidden) return;
  if (byId("live-grid").hidden) {
    const { context, width, height } = fitted(byId("consent-face"));
    const fillColour = theme().accent;
    drawFace(context, width / 2, height / 2, Math.min(width, height) / 2.1, { valence: 0.35, arousal: 0.1 }, fillColour, inkOn(fillColour));
    return;
  }
  circumplex.draw();
  timeline.draw(followed);
  stage.draw();
}

let drawn = 0;
let told = 0;
function tick(time) {
  requestAnimationFrame(tick);
  if (byId("live-grid").hidden || byId("view-live").hidden || live.paused || time - drawn < (still.matches ? 1000 : 90)) return;
  drawn = time;
  circumplex.draw();
  timeline.draw(followed);
  if (time - told > 5000) {
    told = time;
    timeline.tell(followed);
  }
}

/** Say before the camera starts who will be able to see the history. */
async function tellAccess() {
  try {
    Object.assign(about, await askJson("/v1/access"));
    const { role, shared, history: kept } = about;
    byId("who").textContent = !kept ? S.who_off : !shared ? S.who_alone : role === "owner" ? S.who_owner : S.who_visitor;
    byId("keep").disabled = !kept;
    offerPlaces();
  } catch (error) {
    banner(error.message);
  }
}

/** Where faces are recognised: here at the server, or in the page for devices that the server has beside this one. */
function offerPlaces() {
  const { device, here = "server" } = about;
  byId("where").hidden = !device;
  byId("where-now").textContent = S[`where_now_${here}`];
  for (const button of byId("where").querySelectorAll("button")) {
    const on = button.dataset.where === here;
    button.setAttribute("aria-pressed", on);
    button.onclick = () => on || location.assign(button.dataset.where === "device" ? "/device/" : "/");
  }
  if (device && here === "server") S.state_live = S.state_live_server;
}

tellAccess();
past.setUp();
photos.setUp(showView);
moments.setUp(() => grab(video), reconnect);
showStress(byId("stress"), null, null);
showState("off");
showView(location.hash.slice(1) || "live");
requestAnimationFrame(tick);
