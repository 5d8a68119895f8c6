// What the page needs of this device: the model, loaded once, the history, and the page's own cache for offline use.
import type { Mien as MienClass } from "../mien.js";
import { Mien } from "../mien.js";
import { History } from "./store.js";

let loading: Promise<MienClass> | undefined;
let opening: Promise<History> | undefined;

/** What the page's head says under a name. */
const named = (name: string): string | undefined => document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content;

/** The model that the page names in its head. A failed load is tried again the next time. */
export function model(): Promise<MienClass> {
  const detector = named("mien-detector") === "yunet" ? "yunet" : "blazeface";
  loading ??= Mien.load({ models: "mien/models/", model: named("mien-model") ?? "nano", detector }).catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

export function history(): Promise<History> {
  opening ??= History.open();
  return opening;
}

// Read while the visitor reads what the page is about, so that the first face is named as soon as the camera starts. The
// service worker keeps these files in any case. A failure is told when the model is needed.
setTimeout(() => {
  model().catch(() => undefined);
});

if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register("sw.js").catch(() => undefined); // without it the page works, though not offline
}
