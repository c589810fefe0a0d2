// Thumbnails that are each marked right or wrong: by ✓ and ✗, or by the keys r and w, which go on to the next. All else is
// as wherever pictures stand (actions.js).

import { handsOf } from "./actions.js";
import { hang, more, piece, press, stopAt, walk } from "./pieces.js";

const made = new WeakMap(); // the wall's element -> the marks made here, {id: right}, until Python shows them

export default function ({ data, parentElement, setTriggerValue }) {
  const wall = parentElement.querySelector(".wall");
  const pieces = hang(wall, data, marked);
  const own = made.get(wall) ?? {};
  made.set(wall, own);
  show(wall, { ...data.marks, ...own });
  stopAt(wall, pieces);
  handsOf(wall).update({
    ...data,
    send: (event) => setTriggerValue("done", event),
    order: () => data.items.map((item) => item.image),
    walk: (event) => walk(event, pieces),
    acted: (name, item, event) => {
      if (name !== "right" && name !== "wrong") return;
      own[item.dataset.id] = name === "right";
      show(wall, { ...data.marks, ...own });
      const next = event && pieces[pieces.indexOf(item.querySelector(".piece")) + 1]; // by key
      if (!next) return;
      stopAt(wall, pieces, next);
      next.focus();
    },
  });
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
  Object.assign(box.dataset, { id: item.id, image: item.image });
  const button = piece(item);
  button.setAttribute("aria-keyshortcuts", "r w");
  const row = document.createElement("div");
  row.className = "marks";
  row.append(choice("✓", "right", `Right: ${item.title}`), choice("✗", "wrong", `Wrong: ${item.title}`));
  box.append(button, ...more([], item.title), row);
  return box;
}

function choice(sign, act, words) {
  const button = press("mark");
  Object.assign(button.dataset, { act, right: String(act === "right") });
  button.tabIndex = -1; // the keys r and w do the same
  button.textContent = sign;
  button.title = words;
  button.setAttribute("aria-label", words);
  return button;
}
