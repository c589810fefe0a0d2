// Thumbnails in the order of a search. Tab reaches the wall once, the arrow keys walk through it; Enter opens a picture,
// + and − ask for more and for less of it. All words are set as text: they come from somebody's spreadsheet.

const drawn = new WeakMap(); // the wall's element -> what it shows, so that a rerun with the same pictures draws nothing
const ACTS = { "+": "like", "=": "like", "-": "unlike", "−": "unlike" };

export default function ({ data, parentElement, setTriggerValue }) {
  const wall = parentElement.querySelector(".wall");
  const { items, size } = data;
  const shows = JSON.stringify(items);
  wall.style.setProperty("--side", `${size}px`);
  if (drawn.get(wall) !== shows) {
    wall.replaceChildren(...items.map(piece));
    drawn.set(wall, shows);
  }
  const pieces = [...wall.querySelectorAll(".piece")];
  stop(pieces, pieces.find((button) => button === wall.getRootNode().activeElement) ?? pieces[0]);

  const done = (item, act) => setTriggerValue("done", { id: Number(item.dataset.id), act });
  wall.onclick = (event) => {
    const button = event.target.closest("button");
    if (button) done(button.closest(".item"), button.dataset.act);
  };
  wall.onkeydown = (event) => {
    const item = event.target.closest(".item");
    if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
    if (ACTS[event.key]) {
      event.preventDefault();
      done(item, ACTS[event.key]);
      return;
    }
    const at = pieces.indexOf(event.target.closest(".piece"));
    const to = pieces[at + step(event.key, at, pieces)];
    if (at < 0 || !to || to === pieces[at]) return;
    event.preventDefault();
    stop(pieces, to);
    to.focus();
  };
}

function step(key, at, pieces) {
  const top = (button) => button.parentElement.offsetTop;
  const columns = pieces.filter((button) => top(button) === top(pieces[0])).length || 1;
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
  if (key === "Home") return -at;
  if (key === "End") return pieces.length - 1 - at;
  return steps[key] ?? 0;
}

function stop(pieces, chosen) {
  for (const button of pieces) button.tabIndex = button === chosen ? 0 : -1;
}

function piece(item) {
  const box = document.createElement("div");
  box.className = "item";
  box.dataset.id = item.id;
  const button = press("piece", "open");
  button.title = [item.title, item.caption].filter(Boolean).join("\n");
  button.setAttribute("aria-keyshortcuts", "Enter + -");
  const mat = document.createElement("span");
  mat.className = "mat";
  const image = document.createElement("img");
  image.loading = "lazy";
  image.decoding = "async";
  image.alt = item.alt;
  image.src = item.src;
  mat.append(image);
  button.append(mat, line("title", item.title), line("caption", item.caption));
  const wishes = document.createElement("div");
  wishes.className = "wishes";
  wishes.append(wish("+", "like", `More like ${item.title}`), wish("−", "unlike", `Less like ${item.title}`));
  box.append(button, wishes);
  return box;
}

function wish(sign, act, words) {
  const button = press("wish", act);
  button.tabIndex = -1; // the keys + and − do the same
  button.textContent = sign;
  button.title = words;
  button.setAttribute("aria-label", words);
  return button;
}

function press(name, act) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = name;
  button.dataset.act = act;
  return button;
}

function line(name, text) {
  const span = document.createElement("span");
  span.className = name;
  span.textContent = text;
  return span;
}
