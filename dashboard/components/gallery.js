// A wall of thumbnails that are buttons. Tab reaches it once, the arrow keys walk through it, Enter or space chooses.
// Titles and captions are set as text, never as HTML: they come from somebody's spreadsheet.

const drawn = new WeakMap(); // the wall's element -> what it shows, so that a rerun with the same pictures draws nothing

export default function ({ data, parentElement, setTriggerValue }) {
  const wall = parentElement.querySelector(".wall");
  const { items, selected, size } = data;
  const shows = JSON.stringify(items);
  wall.style.setProperty("--side", `${size}px`);
  if (drawn.get(wall) !== shows) {
    wall.replaceChildren(...items.map(piece));
    drawn.set(wall, shows);
  }
  const pieces = [...wall.children];
  for (const button of pieces) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.id) === selected));
  }
  // One stop for the Tab key: where the reader left off, or the chosen picture, or the first.
  const here = pieces.find((button) => button === wall.getRootNode().activeElement);
  stop(pieces, here ?? pieces.find((button) => Number(button.dataset.id) === selected) ?? pieces[0]);

  wall.onclick = (event) => {
    const button = event.target.closest(".piece");
    if (button) setTriggerValue("clicked", Number(button.dataset.id));
  };
  wall.onkeydown = (event) => {
    const at = pieces.indexOf(event.target.closest(".piece"));
    const to = pieces[at + step(event.key, at, pieces)];
    if (at < 0 || !to || to === pieces[at]) return;
    event.preventDefault();
    stop(pieces, to);
    to.focus();
  };
}

function step(key, at, pieces) {
  const columns = pieces.filter((button) => button.offsetTop === pieces[0].offsetTop).length || 1;
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
  if (key === "Home") return -at;
  if (key === "End") return pieces.length - 1 - at;
  return steps[key] ?? 0;
}

function stop(pieces, chosen) {
  for (const button of pieces) button.tabIndex = button === chosen ? 0 : -1;
}

function piece(item) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "piece";
  button.dataset.id = item.id;
  button.title = [item.title, item.caption].filter(Boolean).join("\n");
  const mat = document.createElement("span");
  mat.className = "mat";
  const image = document.createElement("img");
  image.loading = "lazy";
  image.decoding = "async";
  image.alt = item.alt;
  image.src = item.src;
  mat.append(image);
  button.append(mat, line("title", item.title), line("caption", item.caption));
  return button;
}

function line(name, text) {
  const span = document.createElement("span");
  span.className = name;
  span.textContent = text;
  return span;
}
