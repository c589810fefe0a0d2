// A wall of thumbnails: a click, Enter or space chooses one.

import { hang, piece, stopAt, walk } from "./pieces.js";

export default function ({ data, parentElement, setTriggerValue }) {
  const wall = parentElement.querySelector(".wall");
  const pieces = hang(wall, data, piece);
  const isChosen = (button) => Number(button.dataset.id) === data.selected;
  for (const button of pieces) button.setAttribute("aria-pressed", String(isChosen(button)));
  stopAt(wall, pieces, pieces.find(isChosen));
  wall.onclick = (event) => {
    const button = event.target.closest(".piece");
    if (button) setTriggerValue("clicked", Number(button.dataset.id));
  };
  wall.onkeydown = (event) => walk(event, pieces);
}
