// What was kept: a day or a week at a time, the list of sessions, and one session in full.
import { S, length, locale, nameOf, percent } from "./strings.js";
import { ask, askJson, download, FORMATS } from "./api.js";
import { colourOf } from "./colours.js";
import { banner, byId, confirmed, make } from "./dom.js";
import { drawChart, episodesOf, keyOf, swatch } from "./chart.js";
import { joining } from "./joining.js";

const DAY_MS = 86_400_000;
const MOST_POINTS = 600;
const PAGE = 50;

let scale = "day";
let shown = new Date();
let shownSessions = PAGE;
let charts = []; // functions that draw again, for a new size or theme
const local = (date) =>
  `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")}`;
const hour = (seconds) => new Date(1000 * seconds).toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" });
const exact = (seconds) => new Date(1000 * seconds).toLocaleTimeString(locale);

/** Wire the controls up, once. */
export function setUp() {
  for (const button of byId("scale").children) {
    button.onclick = () => {
      scale = button.dataset.scale;
      for (const each of byId("scale").children) each.setAttribute("aria-pressed", each === button);
      show();
    };
  }
  const move = (by) => () => {
    shown = by ? new Date(shown.getTime() + by * DAY_MS * (scale === "week" ? 7 : 1)) : new Date();
    show();
  };
  byId("earlier").onclick = move(-1);
  byId("later").onclick = move(1);
  byId("today").onclick = move(0);
  byId("delete-all").onclick = async () => {
    if (!(await confirmed(S.delete_all_ask, S.delete_yes))) return;
    await attempt(() => ask("/v1/sessions", { method: "DELETE" }));
    byId("session-detail").hidden = true;
    show();
  };
  const again = () => requestAnimationFrame(() => charts.forEach((draw) => draw()));
  addEventListener("resize", again);
  document.addEventListener("themechange", () => setTimeout(again, 50));
}

async function attempt(step) {
  try {
    const answer = await step();
    banner(null);
    return answer;
  } catch (error) {
    banner(error.status === 404 && /history/.test(error.message) ? S.history_off : error.message);
    return null;
  }
}

/** Load and show the period. */
export async function show() {
  charts = [];
  const [first, last] = period();
  byId("later").disabled = last >= new Date(new Date().setHours(0, 0, 0, 0)); // there is nothing to see in the future
  byId("period").textContent =
    scale === "day"
      ? first.toLocaleDateString(locale, { weekday: "long", day: "numeric", month: "long", year: "numeric" })
      : `${first.toLocaleDateString(locale, { day: "numeric", month: "short" })} – ${last.toLocaleDateString(locale, { day: "numeric", month: "short", year: "numeric" })}`;
  const both = await attempt(() =>
    Promise.all([sessionsUpTo(shownSessions), askJson(`/v1/days?first=${local(first)}&last=${local(last)}`), askJson("/v1/days")]),
  );
  if (!both) return;
  const [{ sessions, total }, days, all] = both;
  list(sessions, total);
  const body = byId("period-body");
  if (!days.days.length) body.replaceChildren(make("p", { className: "quiet" }, S.period_empty));
  else if (scale === "week") week(body, first, days.days, all.trends);
  else await day(body, first, days.days[0], sessions);
}

/** The newest sessions, and how many there are. */
async function sessionsUpTo(count) {
  const sessions = [];
  let total = 0;
  for (let offset = 0; offset < count; offset += PAGE) {
    const answer = await ask(`/v1/sessions?limit=${PAGE}&offset=${offset}`);
    sessions.push(...(await answer.json()));
    total = Number(answer.headers?.get("mien-total") ?? sessions.length);
    if (sessions.length >= total) break;
  }
  return { sessions, total };
}

function period() {
  const first = new Date(shown.getFullYear(), shown.getMonth(), shown.getDate());
  if (scale === "day") return [first, first];
  first.setDate(first.getDate() - ((first.getDay() + 6) % 7)); // Monday, as ISO 8601 has it
  const last = new Date(first);
  last.setDate(first.getDate() + 6);
  return [first, last];
}

async function day(body, first, figures, sessions) {
  const [start, end] = [first.getTime() / 1000, first.getTime() / 1000 + 86_400];
  const today = sessions.filter(({ started, recorded_until: until }) => {
    return until && Date.parse(until) / 1000 > start && Date.parse(started) / 1000 < end;
  });
  const from = Math.max(start, Math.min(...today.map((each) => Date.parse(each.started) / 1000)));
  const to = Math.min(end, Math.max(...today.map((each) => Date.parse(each.recorded_until) / 1000)));
  const step = Math.max(1, Math.ceil((to - from) / MOST_POINTS));
  const rows = await attempt(() =>
    Promise.all(today.map((each) => askJson(`/v1/sessions/${each.id}/timeline?step_s=${step}`))),
  );
  if (!rows) return;
  const canvas = make("canvas", { className: "timeline", role: "img" });
  canvas.setAttribute("aria-label", `${S.day_figures}: ${shares(figures.labels)}`);
  const joined = folded(rows.flat());
  body.replaceChildren(facts(figures), canvas, keyOf(joined));
  chart(canvas, joined, [], from, Math.max(to, from + 60), step);
}

function week(body, first, days, trends) {
  const most = Math.max(...days.map((each) => each.person_s));
  const columns = [...Array(7).keys()].map((index) => {
    const date = new Date(first);
    date.setDate(first.getDate() + index);
    const found = days.find((each) => each.day === local(date));
    const stack = make("div", { className: "stack", title: found ? shares(found.labels) : S.period_empty });
    if (found) {
      stack.style.height = `${Math.max(6, (100 * found.person_s) / most)}%`;
      for (const [label, share] of Object.entries(found.labels)) {
        const part = make("i");
        part.style.flexGrow = share;
        part.style.background = colourOf(label);
        stack.append(part);
      }
    }
    const open = () => {
      shown = date;
      byId("scale").children[0].click();
    };
    return make(
      "button",
      { className: "column", type: "button", disabled: !found, onclick: open, "aria-label": `${date.toLocaleDateString(locale, { weekday: "long" })}: ${found ? shares(found.labels) : S.period_empty}` },
      make("span", { className: "stack-box" }, stack),
      make("b", {}, date.toLocaleDateString(locale, { weekday: "short", day: "numeric" })),
      make("span", { className: "quiet" }, found ? length(found.person_s) : "–"),
      make("span", { className: "quiet" }, found?.stress_index != null ? S.stress_short(found.stress_index.toFixed(0)) : " "),
    );
  });
  const names = [...new Set(days.flatMap((each) => Object.keys(each.labels)))];
  const key = make("p", { className: "key" }, ...names.map((name) => swatch(name)));
  const lines = Object.entries(trends)
    .filter(([, trend]) => trend)
    .map(([name, trend]) => make("p", { className: "quiet" }, S.trend_line(S.quantity[name], S.trend[trend.direction])));
  body.replaceChildren(make("p", { className: "quiet" }, S.week_axis), make("div", { className: "week" }, ...columns), key, ...lines);
}

const shares = (labels) =>
  Object.entries(labels)
    .map(([name, share]) => `${nameOf(name)} ${percent(share)}`)
    .join(", ");

function facts(figures, episodes = null) {
  const most = Object.entries(figures.labels)[0];
  const number = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));
  const stress = figures.stress_index == null ? "–" : figures.stress_index.toFixed(0);
  const pairs = [
    [S.fact_time, length(figures.person_s)],
    [S.fact_most, most ? `${nameOf(most[0])} ${percent(most[1])}` : "–"],
    [S.fact_valence, number(figures.valence)],
    [figures.stress_index == null ? S.fact_stress_none : S.fact_stress, stress],
  ];
  if (figures.stress_peak != null) pairs.push([S.fact_peak, `${figures.stress_peak.toFixed(0)} · ${hour(figures.stress_peak_at)}`]);
  if (episodes !== null) pairs.push([S.fact_episodes, episodes.length]);
  return make("div", { className: "facts" }, ...pairs.map(([name, value]) => make("div", {}, make("b", {}, `${value}`), make("span", {}, name))));
}

/** Rows of several people as one: means by step, and the label of most. */
function folded(seconds) {
  const steps = Map.groupBy(seconds, (row) => row.second);
  return [...steps.keys()].sort((a, b) => a - b).map((t) => {
    const rows = steps.get(t);
    const mean = (name) => {
      const known = rows.map((row) => row[name]).filter((value) => value !== null);
      return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
    };
    const counts = Map.groupBy(rows, (row) => row.label);
    const label = [...counts].sort((a, b) => b[1].length - a[1].length)[0][0];
    const stress = mean("stress_index");
    return { t, label, confidence: mean("confidence"), valence: mean("valence"), arousal: mean("arousal"), stress, low: mean("stress_low"), high: mean("stress_high") };
  });
}

function chart(canvas, rows, episodes, from, to, step) {
  const zone = 60 * new Date(1000 * from).getTimezoneOffset();
  const tick = {
    words: to - from < 300 ? exact : hour,
    *times(start, end, each) {
      for (let t = Math.ceil((start - zone) / each) * each + zone; t <= end; t += each) yield t;
    },
  };
  const draw = () => canvas.isConnected && drawChart(canvas, { rows, episodes, from, to, step, tick });
  charts.push(draw);
  draw();
}

function list(sessions, total) {
  const root = byId("session-list");
  if (!sessions.length) return root.replaceChildren(make("p", { className: "quiet" }, S.session_empty));
  const head = make("tr", {}, ...S.session_columns.map((words) => make("th", { scope: "col" }, words)));
  const lines = sessions.map((each) => {
    const started = new Date(each.started);
    return make(
      "tr",
      { "data-session": each.id },
      make("td", {}, `${each.id}`),
      make("td", {}, started.toLocaleString(locale, { dateStyle: "medium", timeStyle: "short" })),
      make("td", {}, each.ended ? span(each) : `${span(each)}, ${S.session_running}`),
      make("td", {}, `${each.people}`),
      make("td", {}, each.source),
      make("td", { className: "end" }, make("button", { type: "button", onclick: () => open(each, sessions) }, S.session_open)),
    );
  });
  const more = () => {
    shownSessions += PAGE;
    show();
  };
  return root.replaceChildren(
    make("div", { className: "scroll" }, make("table", { className: "sessions" }, head, ...lines)),
    sessions.length < total ? make("button", { type: "button", onclick: more }, S.sessions_more) : "",
  );
}

const span = (session) =>
  session.recorded_until ? length((Date.parse(session.recorded_until) - Date.parse(session.started)) / 1000) : "–";

async function open(session, sessions) {
  const from = Date.parse(session.started) / 1000;
  const to = Math.max(from + 10, Date.parse(session.recorded_until ?? session.started) / 1000);
  const step = Math.max(1, Math.ceil((to - from) / MOST_POINTS));
  const found = await attempt(() =>
    Promise.all([
      askJson(`/v1/sessions/${session.id}/summary`),
      askJson(`/v1/sessions/${session.id}/timeline?step_s=${step}`),
    ]),
  );
  if (!found) return;
  const [summary, seconds] = found;
  const rows = folded(seconds);
  const episodes = episodesOf(rows, step);
  const canvas = make("canvas", { className: "timeline", role: "img" });
  canvas.setAttribute("aria-label", `${S.session_title(session.id)}: ${shares(summary.labels)}`);
  const save = (format) => () => attempt(() => download(`/v1/sessions/${session.id}/export?format=${format}`));
  const formats = FORMATS.map((format) =>
    make("button", { type: "button", onclick: save(format) }, { csv: "CSV", json: "JSON", parquet: "Parquet" }[format]),
  );
  const remove = async () => {
    if (!(await confirmed(S.delete_ask(session.id), S.delete_yes))) return;
    if (await attempt(() => ask(`/v1/sessions/${session.id}`, { method: "DELETE" }))) {
      byId("session-detail").hidden = true;
      show();
    }
  };
  const root = byId("session-detail");
  root.hidden = false;
  root.replaceChildren(
    make(
      "div",
      { className: "head" },
      make("h2", {}, S.session_title(session.id)),
      make("span", { className: "grow" }),
      make("span", { className: "segments", role: "group", "aria-label": S.export }, ...formats),
      make("button", { type: "button", className: "danger", onclick: remove }, S.delete_session),
    ),
    facts(summary, episodes),
    canvas,
    keyOf(rows),
    make("p", { className: "note" }, `${S.timeline_note} ${S.stress_note}`),
    joining(session, summary.people, sessions, async (path, body) => {
      const joined = await attempt(() => askJson(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }));
      if (!joined) return;
      await show();
      await open(joined, sessions.filter((each) => each.id !== body.session));
    }),
  );
  chart(canvas, rows, episodes, from, to, step);
  root.scrollIntoView({ block: "nearest" });
}
