// The served page's words, and others where this device stands for the server.
import { S } from "./strings_server.js";

export * from "./strings_server.js";

Object.assign(S, {
  consent_stays: "Pictures stay on this device. The model runs in this page; no picture and no figure is sent anywhere.",
  consent_keep: "Keep figures, one row a second, in this browser's storage. Never pictures. I can export and delete them.",
  who_alone: "Everyone who can use this browser can see, export and delete the history.",
  state_connecting: "Loading the model",
  state_live: "Live, on this device",
  state_again: "Not running",
  delete_all_ask: "Delete every session in this browser? This cannot be undone.",
  drop_small: "JPEG, PNG or WebP. They are recognised on this device and forgotten.",
  footer: "mien recognises expressions, not feelings. Everything runs on this device; no picture leaves it.",
  error_camera_insecure: "Browsers give a camera only to pages over HTTPS or on the same machine. Open this page over HTTPS.",
  error_frames: (detail) => `The camera's pictures cannot be read here. ${detail}`,
});
