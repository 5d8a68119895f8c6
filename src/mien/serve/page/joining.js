// Joining by hand, in a session's details: two numbers of one person, or another session that goes on where this stopped.
import { S, length, locale, nameOf } from "./strings.js";
import { make } from "./dom.js";

const NEARBY = 12; // sessions that are offered, those nearest in time

/** The part of the page; `post(path, body)` asks the server and shows the session anew. Empty while the session runs. */
export function joining(session, people, sessions, post) {
  if (!session.ended) return "";
  const others = nearest(session, sessions);
  return make(
    "section",
    { className: "joining" },
    people.length > 1 ? persons(session, people, post) : null,
    others.length ? visits(session, others, post) : null,
  );
}

function persons(session, people, post) {
  const choices = () =>
    people.map((each) => {
      const most = Object.keys(each.labels)[0];
      return make("option", { value: `${each.track_id}` }, S.join_person(each.track_id, length(each.person_s), nameOf(most)));
    });
  const person = make("select", { name: "person", "aria-label": S.join_who }, ...choices());
  const into = make("select", { name: "into", "aria-label": S.join_is }, ...choices());
  person.selectedIndex = people.length - 1;
  const join = () => post(`/v1/sessions/${session.id}/people`, { person: Number(person.value), into: Number(into.value) });
  return make(
    "div",
    {},
    make("p", { className: "note" }, S.join_why),
    make("p", { className: "row" }, person, ` ${S.join_is} `, into, " ", make("button", { type: "button", "data-join": "people", onclick: join }, S.join)),
  );
}

function visits(session, others, post) {
  const choices = others.map((each) => {
    const started = new Date(each.started).toLocaleString(locale, { dateStyle: "short", timeStyle: "short" });
    return make("option", { value: `${each.id}` }, `${S.session_title(each.id)}, ${started}`);
  });
  const other = make("select", { name: "session", "aria-label": S.join_session }, ...choices);
  const join = () => post(`/v1/sessions/${session.id}/join`, { session: Number(other.value) });
  return make("p", { className: "row" }, `${S.join_session} `, other, " ", make("button", { type: "button", "data-join": "session", onclick: join }, S.join));
}

function nearest(session, sessions) {
  const gap = (each) => Math.abs(Date.parse(each.started) - Date.parse(session.started));
  return sessions
    .filter((each) => each.id !== session.id && each.ended)
    .sort((a, b) => gap(a) - gap(b))
    .slice(0, NEARBY);
}
