// Pictures on a wall, with the actions that they have everywhere (actions.js) and those of the page, which have buttons.

import { handsOf } from "./actions.js";
import { hang, piece, press, stopAt, walk } from "./pieces.js";

export default function ({ data, parentElement, setTriggerValue }) {
  const wall = parentElement.querySelector(".wall");
  const buttons = data.actions.filter((action) => action.sign).map(({ key, title, sign }) => ({ key, title, sign }));
  const pieces = hang(wall, { items: data.items.map((item) => ({ ...item, buttons })), size: data.size }, found);
  const isShown = (button) => Number(button.dataset.id) === data.shown;
  for (const button of pieces) {
    if (isShown(button)) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
  stopAt(wall, pieces, pieces.find(isShown));
  handsOf(wall).update({
    ...data,
    send: (event) => setTriggerValue("done", event),
    order: () => data.items.map((item) => item.image),
    walk: (event) => walk(event, pieces),
  });
}

function found(item) {
  const box = document.createElement("div");
  box.className = "item";
  Object.assign(box.dataset, { id: item.id, image: item.image });
  box.append(piece(item), ...more(item.buttons, item.title));
  return box;
}
