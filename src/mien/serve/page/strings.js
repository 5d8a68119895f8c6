// Every word that the page says, in one place. To translate it, translate this file.

export const S = {
  skip: "Skip to the content",
  nav_live: "Live",
  nav_history: "History",
  nav_photos: "Photos",
  theme: "Light or dark",

  consent_title: "Before the camera starts",
  consent_what:
    "This page looks at faces through your camera and estimates which emotion each one shows, how that changes, and an index of stressed expressions.",
  consent_stays:
    "Pictures go to the mien server you opened this page from, and nowhere else. They are used and forgotten: none is stored, logged or written to a disk.",
  consent_means:
    "A face shows an expression, not what a person feels. The figures are estimates with errors. Do not use them to judge, grade, hire, diagnose or watch over people.",
  consent_law:
    "People must be told when a system recognises their emotions. At work and in schools the EU prohibits it, except for medical or safety reasons (AI Act, Art. 50(3) and 5(1)(f)).",
  consent_told: "Everyone who can be seen by the camera knows this and agrees.",
  consent_keep: "Keep figures, one row a second, in the history on this server. Never pictures. I can export and delete them.",
  who_alone: "Everyone who can open this page on this machine can see, export and delete the history.",
  who_visitor: "Only this browser and the owner of the server can see, export and delete your figures.",
  who_owner: "You are the owner: you can see, export and delete everybody's figures. Visitors see only their own.",
  who_off: "This server keeps no history.",
  consent_baseline: "Compare stress with my own calm first minute. (Otherwise it is not personal, and the page says so.)",
  consent_photos: "Only photos? Open Photos, or drop them anywhere on this page.",
  start: "Start the camera",

  state_off: "Camera off",
  state_asking: "Waiting for your permission",
  state_connecting: "Connecting",
  state_live: "Live",
  state_paused: "Paused",
  state_again: "Connection lost, trying again",
  state_full: "The server is full, trying again",

  pause: "Pause",
  resume: "Resume",
  drawing: "Hide picture",
  relearn: "New baseline",
  stop: "Stop",
  figures: (fps, ms) => `${fps.toFixed(fps < 10 ? 1 : 0)} results/s · ${ms.toFixed(0)} ms`,
  stage_no_face: "No face in view",
  stage_paused: "Paused. No picture leaves your browser.",
  overlay: (faces) => (faces.length ? `Camera picture: ${faces.join(", ")}` : "Camera picture: no face"),
  unsure: "unsure",
  sure: (share) => `${percent(share)} sure`,

  now: "Right now",
  people: "Person to follow",
  person: (number) => `Person ${number}`,
  nobody: "Nobody",
  announce: (label, person) => `Person ${person}: ${label}`,

  stress: "Stress index",
  stress_note: "An expression-based index, not a diagnosis.",
  stress_range: (low, high) => `95 % interval ${low.toFixed(0)} to ${high.toFixed(0)}`,
  stress_learning: (left) => `Learning your calm minute: ${left} s to go`,
  stress_none: "No usable face in the last minute",
  stress_level: { low: "low", medium: "medium", high: "high" },
  stress_level_name: "Published level",
  coverage: "Face in view",
  baseline_name: "Compared with",
  baseline: { learning: "still learning", personal: "own calm minute", none: "nobody" },

  affect: "Valence and arousal",
  affect_note: "A projection of the probabilities, not a measurement.",
  affect_axes: { right: "pleasant", left: "unpleasant", up: "excited", down: "calm" },
  affect_label: (valence, arousal) => `Valence ${valence.toFixed(2)}, arousal ${arousal.toFixed(2)}, from -1 to 1`,

  timeline: "Timeline",
  timeline_span: "Length of the timeline",
  timeline_note:
    "Brackets mark episodes: stretches of one emotion other than neutral, with a mark at the peak. The band around stress is its 95 % interval.",
  timeline_label: (label, minutes) => `Timeline of the last ${minutes} minutes; now ${label}`,
  lane_mood: "emotion",
  lane_affect: ["valence", "arousal"],
  lane_stress: "stress index",
  as_table: "The last minute as a table",
  table_head: ["Time", "Emotion", "Sure", "Valence", "Arousal", "Stress index"],
  kept_yes: (number) => `Kept as session ${number}`,
  kept_no: "Not kept",
  export: "Export",
  delete_session: "Delete session",
  delete_ask: (number) => `Delete session ${number} with all its figures? This cannot be undone.`,
  delete_yes: "Delete",
  delete_all: "Delete everything",
  delete_all_ask: "Delete every session on this server? This cannot be undone.",
  deleted: "Deleted.",
  cancel: "Cancel",

  history_scale: "Day or week",
  history_move: "Move in time",
  day: "Day",
  week: "Week",
  today: "Today",
  earlier: "Earlier",
  later: "Later",
  sessions: "Sessions",
  session_columns: ["Session", "Start", "Length", "People", "Source", ""],
  session_running: "running",
  session_open: "Open",
  session_title: (number) => `Session ${number}`,
  session_empty: "No session yet. Tick “Keep figures” before you start the camera.",
  history_off: "This server keeps no history (it was started with --no-history).",
  period_empty: "Nothing recorded.",
  day_figures: "Figures of the day",
  fact_time: "with a face",
  fact_most: "most often",
  fact_valence: "mean valence",
  fact_stress: "mean stress index",
  fact_peak: "stress peak",
  fact_episodes: "episodes",
  trend: { rising: "rising", falling: "falling", unclear: "no clear trend" },
  trend_line: (name, word) => `Over all days, ${name}: ${word}`,

  drop_big: "Drop photos here, or choose them",
  drop_small: "JPEG, PNG or WebP. They are recognised and forgotten.",
  drop_anywhere: "Drop to recognise",
  photo_none: "No face found",
  photo_faces: (count) => (count === 1 ? "1 face" : `${count} faces`),
  photo_busy: "Recognising…",
  face: (number) => `Face ${number}`,

  footer:
    "mien recognises expressions, not feelings. Everything runs on your server; no picture is kept.",

  error_camera_denied: "The browser did not get the camera: permission was refused. Allow it in the address bar, then start again.",
  error_camera_none: "No camera was found on this device.",
  error_camera_busy: "The camera cannot be read; another program may be using it.",
  error_camera_insecure:
    "Browsers give a camera only to pages over HTTPS or on the same machine. Start the server with --certificate, or open it as http://127.0.0.1.",
  error_token: "This server needs its token. Open the address that mien serve printed, with #token=… at its end.",
  error_network: "The server cannot be reached.",
  error_store: (detail) => `The history cannot be written right now; the live view goes on. ${detail}`,
  error_frames: (detail) => `The server refused a picture: ${detail}`,
};

export const percent = (share) => `${Math.round(100 * share)} %`;

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
  for (const element of root.querySelectorAll("[data-s]")) element.textContent = S[element.dataset.s];
  for (const element of root.querySelectorAll("[data-title]")) {
    element.title = S[element.dataset.title];
    element.setAttribute("aria-label", element.title);
  }
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", S[element.dataset.label]);
  }
}
