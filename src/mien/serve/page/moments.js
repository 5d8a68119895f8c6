// A model for one's own face: the page asks for a dozen expressions, sends two pictures of each, and has a model made.
import { S, nameOf, percent } from "./strings.js";
import { ask, askJson, remember } from "./api.js";
import { banner, byId, confirmed } from "./dom.js";

const ROUNDS = 2; // of each emotion
const PICTURES = 2; // of each moment
const APART_MS = 350;

let wanted = [];
let shown = 0; // moments done
let made = false;

/** Whether the live stream should ask for the visitor's own model. */
export const wantsOwn = () => made && byId("own").checked;

/**
 * @param {() => Promise<Blob|null>} grab takes a picture
 * @param {() => void} reconnect starts the stream again, with or without the own model
 */
export function setUp(grab, reconnect) {
  byId("moment").onclick = () => take(grab);
  byId("moment-make").onclick = () => make(reconnect);
  byId("moment-delete").onclick = () => forget(reconnect);
  byId("own").onchange = reconnect;
  askJson("/v1/personal").then(
    (mine) => {
      wanted = Array.from({ length: ROUNDS }, () => mine.wanted).flat();
      made = mine.model;
      byId("moments").hidden = false;
      byId("own").checked = made;
      show();
    },
    () => (byId("moments").hidden = true), // this server makes none
  );
}

function show(words = null) {
  const done = shown >= wanted.length;
  byId("moment-ask").textContent = words ?? (made ? S.moments_made : done ? S.moments_done : S.moments_show(nameOf(wanted[shown]), shown + 1, wanted.length));
  byId("moment").hidden = made || done;
  byId("moment-make").hidden = made || !done;
  byId("moment-delete").hidden = !made && shown === 0;
  byId("own-row").hidden = !made;
}

async function take(grab) {
  byId("moment").disabled = true;
  try {
    for (let picture = 0; picture < PICTURES; picture += 1) {
      const blob = await grab();
      if (!blob) throw new Error(S.stage_no_face);
      const query = new URLSearchParams({ emotion: wanted[shown], moment: shown });
      const headers = { "Content-Type": "image/jpeg" };
      remember((await askJson(`/v1/personal/moments?${query}`, { method: "POST", body: blob, headers })).visitor);
      await new Promise((resolve) => setTimeout(resolve, APART_MS));
    }
    shown += 1;
    show();
    banner(null);
  } catch (error) {
    banner(error.message);
  }
  byId("moment").disabled = false;
}

async function make(reconnect) {
  byId("moment-make").disabled = true;
  byId("moment-ask").textContent = S.moments_busy;
  try {
    const found = await askJson("/v1/personal/model", { method: "POST" });
    made = byId("own").checked = found.helps;
    shown = 0; // the faces are forgotten either way
    const say = found.helps ? S.moments_helps : S.moments_no_help;
    show(say(percent(found.before), percent(found.after)));
    if (found.helps) reconnect();
  } catch (error) {
    banner(error.message);
    show();
  }
  byId("moment-make").disabled = false;
}

async function forget(reconnect) {
  if (!(await confirmed(S.moments_ask, S.delete_yes))) return;
  try {
    await ask("/v1/personal", { method: "DELETE" });
    const own = wantsOwn();
    [shown, made] = [0, false];
    byId("own").checked = false;
    show();
    if (own) reconnect();
  } catch (error) {
    banner(error.message);
  }
}
