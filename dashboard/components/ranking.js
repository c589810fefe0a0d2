// Thumbnails in the order of a search: Enter opens a picture, + and − ask for more and for less of it, s selects it.

import { hang, piece, press, stopAt, walk } from "./pieces.js";

const ACTS = { "+": "like", "=": "like", "-": "unlike", "−": "unlike", s: "select" };

export default function ({ data, parentElement, setTriggerValue }) {
  const wall = parentElement.querySelector(".wall");
  const offered = [...(data.examples ? ["like", "unlike"] : []), ...(data.selected ? ["select"] : [])];
  const pieces = hang(wall, { items: data.items.map((item) => ({ ...item, offered })), size: data.size }, found);
  const isShown = (button) => Number(button.dataset.id) === data.shown;
  for (const button of pieces) {
    if (data.shown !== null) button.setAttribute("aria-pressed", String(isShown(button)));
    const [item, id] = [button.closest(".item"), Number(button.dataset.id)];
    item.classList.toggle("selected", !!data.selected?.includes(id));
    item.querySelector("[data-act=select]")?.setAttribute("aria-pressed", String(!!data.selected?.includes(id)));
  }
  stopAt(wall, pieces, pieces.find(isShown));
  const done = (item, act) => setTriggerValue("done", { id: Number(item.dataset.id), act });
  wall.onclick = (event) => {
    const button = event.target.closest("button");
    if (button) done(button.closest(".item"), button.dataset.act ?? "open");
  };
  wall.onkeydown = (event) => {
    const item = event.target.closest(".item");
    if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
    if (offered.includes(ACTS[event.key])) {
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
  const keys = { like: "+", unlike: "-", select: "s" };
  button.setAttribute("aria-keyshortcuts", ["Enter", ...item.offered.map((act) => keys[act])].join(" "));
  const more = document.createElement("div");
  more.className = "more";
  const words = {
    like: ["+", `More like ${item.title}`],
    unlike: ["−", `Less like ${item.title}`],
    select: ["✓", `Select ${item.title}`],
  };
  more.append(...item.offered.map((act) => example(words[act][0], act, words[act][1])));
  box.append(button, more);
  return box;
}

function example(sign, act, words) {
  const button = press("example");
  button.dataset.act = act;
  button.tabIndex = -1; // the keys do the same
  button.textContent = sign;
  button.title = words;
  button.setAttribute("aria-label", words);
  return button;
}
