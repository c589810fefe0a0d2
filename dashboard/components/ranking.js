// Thumbnails in the order of a search: Enter opens a picture, + and − ask for more and for less of it.

import { hang, piece, press, stopAt, walk } from "./pieces.js";

const ACTS = { "+": "like", "=": "like", "-": "unlike", "−": "unlike" };

export default function ({ data, parentElement, setTriggerValue }) {
  const wall = parentElement.querySelector(".wall");
  const pieces = hang(wall, data, found);
  stopAt(wall, pieces);
  const done = (item, act) => setTriggerValue("done", { id: Number(item.dataset.id), act });
  wall.onclick = (event) => {
    const button = event.target.closest("button");
    if (button) done(button.closest(".item"), button.dataset.act ?? "open");
  };
  wall.onkeydown = (event) => {
    const item = event.target.closest(".item");
    if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
    if (ACTS[event.key]) {
      event.preventDefault();
      done(item, ACTS[event.key]);
    } else walk(event, pieces);
  };
}

function found(item) {
  const box = document.createElement("div");
  box.className = "item";
  box.dataset.id = item.id;
  const button = piece(item);
  button.setAttribute("aria-keyshortcuts", "Enter + -");
  const more = document.createElement("div");
  more.className = "more";
  more.append(example("+", "like", `More like ${item.title}`), example("−", "unlike", `Less like ${item.title}`));
  box.append(button, more);
  return box;
}

function example(sign, act, words) {
  const button = press("example");
  button.dataset.act = act;
  button.tabIndex = -1; // the keys + and − do the same
  button.textContent = sign;
  button.title = words;
  button.setAttribute("aria-label", words);
  return button;
}
