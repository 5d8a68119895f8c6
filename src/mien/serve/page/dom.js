// Two helpers for building the page, and the one question that it asks before it deletes.

/** An element with attributes (on… are listeners) and children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Ask before something that cannot be undone; resolves to true or false. */
export function confirmed(question, yes) {
  const dialog = byId("confirm");
  byId("confirm-text").textContent = question;
  byId("confirm-yes").textContent = yes;
  return new Promise((resolve) => {
    const close = (answer) => () => dialog.close(answer);
    byId("confirm-yes").onclick = close("yes");
    byId("confirm-no").onclick = close("no");
    dialog.returnValue = "";
    dialog.onclose = () => resolve(dialog.returnValue === "yes");
    dialog.showModal();
    byId("confirm-no").focus();
  });
}

/** Tell something that the visitor should know, with a button that takes it away. */
export function notice(text, button) {
  const element = byId("notice");
  element.replaceChildren(text, " ", make("button", { type: "button", onclick: () => (element.hidden = true) }, button));
  element.hidden = false;
}

/** Tell what went wrong, on top of the page; nothing to take it away. */
export function banner(text) {
  const element = byId("banner");
  element.textContent = text ?? "";
  element.hidden = !text;
}
