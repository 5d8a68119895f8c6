// The server: requests with the token, and the address of the live stream.
import { S } from "./strings.js";

/** What a session can be saved as. */
export const FORMATS = ["csv", "json", "parquet"];

// The token comes after # in the address, which browsers never send, and leaves it at once for this tab's memory.
const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  sessionStorage.setItem("mien-token", given);
  history.replaceState(null, "", location.pathname + "#live");
}
const token = sessionStorage.getItem("mien-token");

// A visitor's secret: the server makes it with the first session that it keeps; this browser alone can show it later.
let visitor = localStorage.getItem("mien-visitor");

/** Remember the secret that the server has just made for this visitor. */
export function remember(secret) {
  if (!secret) return;
  visitor = secret;
  localStorage.setItem("mien-visitor", secret);
}

/** Ask the server; returns the Response, or throws an Error with one line for the visitor. */
export async function ask(path, options = {}) {
  const headers = {
    ...options.headers,
    ...(token ? { Authorization: `Bearer ${token}` } : {}),
    ...(visitor ? { "Mien-Visitor": visitor } : {}),
  };
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch {
    throw new Error(S.error_network);
  }
  if (response.ok) return response;
  if (response.status === 401) throw new Error(S.error_token);
  const detail = await response.json().then((body) => body.detail, () => response.statusText);
  const error = new Error(typeof detail === "string" ? detail : JSON.stringify(detail));
  error.status = response.status;
  throw error;
}

export const askJson = async (path, options) => (await ask(path, options)).json();

/** Save what the server answers as a file. */
export async function download(path) {
  const response = await ask(path);
  const name = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") || "")?.[1] || "mien";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Address of the live stream; browsers cannot set headers there, so the token is in the query. */
export function liveUrl({ keep, baseline, personal }) {
  const url = new URL("/v1/live", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.searchParams.set("keep", keep);
  if (personal) url.searchParams.set("personal", true);
  url.searchParams.set("baseline_s", baseline ? 60 : 0);
  if (token) url.searchParams.set("token", token);
  if (visitor) url.searchParams.set("visitor", visitor);
  url.hash = "";
  return url;
}
