// Thumbnails that are each marked right or wrong: by ✓ and ✗, or by the keys r and w, which go on to the next.

import { hang, piece, press, stopAt, walk } from "./pieces.js";

const KEYS = { r: true, w: false };
const made = new WeakMap(); // the wall's element -> the marks made here, {id: right}, so that quick ones are all sent

export default function ({ data, parentElement, setStateValue }) {
  const wall = parentElement.querySelector(".wall");
  const pieces = hang(wall, data, marked);
  const own = made.get(wall) ?? {};
  made.set(wall, own);
  show(wall, { ...data.marks, ...own });
  stopAt(wall, pieces);
  const mark = (item, right) => {
    own[item.dataset.id] = right;
    show(wall, { ...data.marks, ...own });
    setStateValue("marks", { ...own });
  };
  wall.onclick = (event) => {
    const button = event.target.closest(".mark");
    if (button) mark(button.closest(".item"), button.dataset.right === "true");
  };
  wall.onkeydown = (event) => {
    const item = event.target.closest(".item");
    if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
    const right = KEYS[event.key.toLowerCase()];
    if (right === undefined) {
      walk(event, pieces);
      return;
    }
    event.preventDefault();
    mark(item, right);
    const next = pieces[pieces.indexOf(item.querySelector(".piece")) + 1];
    if (next) {
      stopAt(wall, pieces, next);
      next.focus();
    }
  };
}

function show(wall, marks) {
  for (const item of wall.querySelectorAll(".item")) {
    for (const button of item.querySelectorAll(".mark")) {
      const pressed = item.dataset.id in marks && String(marks[item.dataset.id]) === button.dataset.right;
      button.setAttribute("aria-pressed", String(pressed));
    }
  }
}

function marked(item) {
  const box = document.createElement("div");
  box.className = "item";
  box.dataset.id = item.id;
  const button = piece(item);
  button.setAttribute("aria-keyshortcuts", "r w");
  const row = document.createElement("div");
  row.className = "marks";
  row.append(choice("✓", "true", `Right: ${item.title}`), choice("✗", "false", `Wrong: ${item.title}`));
  box.append(button, row);
  return box;
}

function choice(sign, right, words) {
  const button = press("mark");
  button.dataset.right = right;
  button.tabIndex = -1; // the keys r and w do the same
  button.textContent = sign;
  button.title = words;
  button.setAttribute("aria-label", words);
  return button;
}
