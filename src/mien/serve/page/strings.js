// The page's words in the visitor's language (words/), and numbers, times and names written in it.
import { words as en } from "./words/en.js";
import { words as de } from "./words/de.js";
import { words as es } from "./words/es.js";

const LANGUAGES = { en, de, es };

/** The first of the browser's languages that the page speaks; it also formats dates. */
export const locale = (navigator.languages ?? []).find((each) => each.split("-")[0] in LANGUAGES) ?? "en";
export const language = locale.split("-")[0];
export const S = LANGUAGES[language];

/** An emotion's name in the visitor's language; a class that the page does not know keeps its own name. */
export const nameOf = (emotion) => S.emotions[emotion] ?? emotion;

export const percent = (share) => `${Math.round(100 * share)} %`;

/** Bytes as 0.8 MB. */
export const megabytes = (bytes) => `${Math.max(0.01, bytes / 1e6).toLocaleString(locale, { maximumFractionDigits: bytes < 1e6 ? 2 : 1 })} MB`;

const two = (value) => String(Math.floor(value)).padStart(2, "0");

/** Seconds as 4:05 or 1:02:03. */
export const clock = (seconds) =>
  seconds >= 3600
    ? `${Math.floor(seconds / 3600)}:${two((seconds % 3600) / 60)}:${two(seconds % 60)}`
    : `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;

/** Seconds in words: 40 s, 12 min, 3 h 05 min. */
export const length = (seconds) =>
  seconds < 60
    ? `${Math.round(seconds)} s`
    : seconds < 3600
      ? `${Math.round(seconds / 60)} min`
      : `${Math.floor(seconds / 3600)} h ${two((seconds % 3600) / 60)} min`;

/** Put the words into the page: data-s is text, data-title a tooltip and name, data-label a group's name. */
export function fill(root) {
  root.documentElement.lang = language;
  for (const element of root.querySelectorAll("[data-s]")) element.textContent = S[element.dataset.s];
  for (const element of root.querySelectorAll("[data-title]")) {
    element.title = S[element.dataset.title];
    element.setAttribute("aria-label", element.title);
  }
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", S[element.dataset.label]);
  }
}
