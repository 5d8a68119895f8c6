// The live timeline: per-second rows and episodes of each person on the page's own clock, kept for half an hour.
import { S, clock, nameOf, percent } from "./strings.js";
import { drawChart, episodesOf, keyOf } from "./chart.js";

const KEEP_S = 30 * 60 + 10;

export class Timeline {
  constructor(canvas, table, key) {
    this.canvas = canvas;
    this.table = table;
    this.key = key;
    this.minutes = 5;
    this.clear();
  }

  clear() {
    this.people = new Map();
    this.began = performance.now() / 1000;
    this.newClock();
  }

  /** After a new connection, whose clock starts at 0. People are numbered anew too: person 1 goes on as person 1. */
  newClock() {
    this.offset = Infinity;
  }

  /** Take the moods of one result; `now` is the page's clock in seconds. */
  add(now, message) {
    this.offset = Math.min(this.offset, now - message.t_s); // the quickest answer tells the clocks' distance best
    const offset = this.offset;
    for (const mood of message.moods) {
      const person = this.#person(mood.track_id);
      const t = Math.floor(message.t_s + offset);
      const row = {
        t,
        label: mood.label,
        baseline: mood.baseline,
        confidence: mood.confidence,
        valence: mood.valence,
        arousal: mood.arousal,
        stress: mood.stress_index,
        low: mood.stress_low,
        high: mood.stress_high,
      };
      if (person.rows.at(-1)?.t === t) person.rows[person.rows.length - 1] = row;
      else person.rows.push(row);
      while (person.rows[0].t < now - KEEP_S) person.rows.shift();
    }
  }

  rows(person) {
    return this.people.get(person)?.rows ?? [];
  }

  draw(person) {
    const now = performance.now() / 1000;
    const rows = this.rows(person);
    const from = now - this.minutes * 60;
    const began = this.began;
    const last = rows.at(-1);
    const shown = rows.filter((row) => row.t >= from);
    drawChart(this.canvas, {
      rows,
      episodes: episodesOf(rows),
      learning: last?.baseline === "learning",
      from,
      to: now,
      tick: {
        words: (t) => clock(Math.max(0, Math.round(t - began))),
        *times(start, end, step) {
          for (let t = began + Math.ceil((start - began) / step) * step; t <= end; t += step) if (t >= began) yield t;
        },
      },
    });
    this.canvas.setAttribute("aria-label", S.timeline_label(last ? nameOf(last.label) : S.nobody, this.minutes));
    const names = shown.map((row) => row.label).filter((name, index, all) => all.indexOf(name) === index).join();
    if (this.key.dataset.names !== names) {
      this.key.dataset.names = names;
      this.key.replaceChildren(keyOf(shown));
    }
  }

  /** The last minute in words and figures, for those who cannot see the drawing. */
  tell(person) {
    const rows = this.rows(person).slice(-60).filter((_, index, all) => (all.length - 1 - index) % 5 === 0).reverse();
    const head = document.createElement("tr");
    head.append(...S.table_head.map((words) => cell("th", words)));
    const body = rows.map((row) => {
      const line = document.createElement("tr");
      const figures = [row.valence.toFixed(2), row.arousal.toFixed(2), row.stress === null ? "–" : row.stress.toFixed(0)];
      const words = [clock(Math.max(0, Math.round(row.t - this.began))), nameOf(row.label), percent(row.confidence), ...figures];
      line.append(...words.map((each) => cell("td", each)));
      return line;
    });
    this.table.replaceChildren(head, ...body);
  }

  #person(number) {
    if (!this.people.has(number)) this.people.set(number, { rows: [] });
    return this.people.get(number);
  }
}

function cell(tag, words) {
  const element = document.createElement(tag);
  element.textContent = words;
  return element;
}
