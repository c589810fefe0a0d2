// How many pictures are selected and what can be done with them; what would be undone. It stands above dialogs too.

import { openMenu } from "./actions.js";

const YEAR = 31536000; // seconds
const PATIENCE = 30000; // milliseconds for a dialog to come
const SENDING = 400; // milliseconds for what was typed to be on its way
let entered = -SENDING; // when Enter was pressed last in a field of a dialog
let current = null; // {data, send} of the dock on the page, for the keys
let listening = false;
let focused = null; // the dialog whose first field has had the focus

export default function ({ data, parentElement, setTriggerValue }) {
  const dock = parentElement.querySelector(".dock");
  const send = (act) => current.send(act);
  current = { data, send: (act) => setTriggerValue("done", [act, Date.now()]), dock };
  if (!listening) for (const heard of [press, hold]) document.addEventListener("keydown", heard, true);
  listening = true;
  remember(...data.cookie);
  if (data.dialog && data.dialog !== focused) typeInto(data.dialog);
  const shows = JSON.stringify([data.selected, data.words, data.actions, data.undo, data.redo, data.below]);
  if (dock.dataset.shows === shows && dock.matches(":popover-open") !== dock.hidden) return; // a button that is being pressed stays
  dock.dataset.shows = shows;
  const parts = [data.selected ? selection(data, send, dock) : null, data.undo || data.redo ? journal(data, send) : null];
  dock.replaceChildren(...parts.filter(Boolean));
  dock.hidden = !dock.childElementCount;
  dock.classList.toggle("below", data.below);
  if (!dock.popover) dock.popover = "manual";
  if (!dock.hidden && !dock.matches(":popover-open")) dock.showPopover();
  if (dock.hidden && dock.matches(":popover-open")) dock.hidePopover();
}

function selection(data, send, dock) {
  const group = box("group");
  const count = box("count");
  count.textContent = data.selected.toLocaleString("en");
  count.title = `${data.words} selected`;
  count.setAttribute("aria-label", `${data.words} selected`);
  group.append(count);
  for (const action of data.actions) group.append(button(action.short, `${action.title} (${data.words})`, "act", () => send(action.key)));
  const more = button("⋯", "What can be done with the selection", "more-acts", () => {
    const { left, bottom } = more.getBoundingClientRect();
    openMenu(dock, data.actions, `${data.words} selected`, left, bottom, send, () => more.focus());
  });
  group.append(more, button("✕", "Clear the selection", "clear", () => send("clear")));
  return group;
}

function journal(data, send) {
  const group = box("group");
  const undo = data.undo && button(`↶ Undo: ${data.undo}`, `Undo: ${data.undo} (Ctrl+Z)`, "undo", () => send("undo"));
  const redo = data.redo && button(data.undo ? "↷" : `↷ Redo: ${data.redo}`, `Redo: ${data.redo} (Ctrl+Shift+Z)`, "redo", () => send("redo"));
  group.append(...[undo, redo].filter(Boolean));
  return group;
}

function press(event) {
  const key = event.key.toLowerCase();
  if (!(event.ctrlKey || event.metaKey) || event.altKey || !["z", "y"].includes(key) || !current?.dock.isConnected) return;
  const at = event.composedPath()[0];
  if (at.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(at.tagName)) return; // the field's own undo
  const act = key === "y" || event.shiftKey ? "redo" : "undo";
  event.preventDefault();
  event.stopPropagation();
  if (current.data[act]) current.send(act);
}

// Escape right after Enter would close a dialog before what was typed in it has been sent: it waits for that.
function hold(event) {
  const field = event.composedPath()[0].closest?.("[role=dialog] :is(input, textarea)");
  if (event.key === "Enter" && field) entered = performance.now();
  if (event.key !== "Escape" || !field || performance.now() - entered > SENDING) return;
  event.preventDefault();
  event.stopPropagation();
  setTimeout(() => document.querySelector('[role=dialog] button[aria-label="Close"]')?.click(), SENDING);
}

// Puts the cursor into the first field of a dialog, as soon as it is there, however busy the machine is.
function typeInto(dialog, until = Date.now() + PATIENCE) {
  focused = dialog;
  const field = document.querySelector('[role="dialog"] :is(input, textarea)');
  if (field) field.focus();
  else if (Date.now() < until) setTimeout(() => dialog === focused && typeInto(dialog, until), 50);
}

function remember(name, word) {
  if (!document.cookie.includes(`${name}=${word}`)) document.cookie = `${name}=${word}; path=/; max-age=${YEAR}; samesite=lax`;
}

function box(name) {
  const made = document.createElement("div");
  made.className = name;
  return made;
}

function button(text, title, name, act) {
  const made = document.createElement("button");
  Object.assign(made, { type: "button", className: name, textContent: text, title, onclick: act });
  made.setAttribute("aria-label", title);
  return made;
}
