// Colours: one for each emotion (Okabe and Ito's, told apart with any common colour blindness), the page's from its CSS.
// Names are always written next to a colour.

export const EMOTIONS = {
  angry: "#D55E00",
  disgust: "#009E73",
  fear: "#CC79A7",
  happy: "#F0E442",
  sad: "#0072B2",
  surprise: "#E69F00",
  neutral: "#56B4E9",
  contempt: "#8C6D46",
};
export const OTHER = "#8A93A0";

export const colourOf = (emotion) => EMOTIONS[emotion] ?? OTHER;

/** Black or white, whichever is easier to read on a colour (WCAG 2 relative luminance). */
export function inkOn(colour) {
  const [r, g, b] = [1, 3, 5].map((at) => (parseInt(colour.slice(at, at + 2), 16) / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.22 ? "#1D2430" : "#FFFFFF";
}

let styles = {};
const NAMES = ["ink", "quiet", "faint", "line", "card", "accent", "second", "stress", "stage"];

function read() {
  const css = getComputedStyle(document.documentElement);
  styles = Object.fromEntries(NAMES.map((name) => [name, css.getPropertyValue(`--${name}`).trim()]));
}
document.addEventListener("themechange", () => requestAnimationFrame(read));

/** The page's colours by name, as the theme has them. */
export function theme() {
  if (!styles.ink) read();
  return styles;
}

/** Fit a canvas to its place on the screen; returns its context in CSS pixels, cleared, with width and height. */
export function fitted(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const { width, height } = canvas.getBoundingClientRect();
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

export const font = (px, weight = 500) => `${weight} ${px}px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif`;
