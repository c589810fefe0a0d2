// Thumbnails that are buttons, the pieces of a wall. Tab reaches the wall once, the arrow keys walk through it.
// Titles and captions are set as text, never as HTML: they come from somebody's spreadsheet.

const drawn = new WeakMap(); // the wall's element -> what it shows, so that a rerun with the same pictures draws nothing

// Puts `make(item)` for each item on a wall, thumbnails `size` pixels large; returns its pieces.
export function hang(wall, { items, size }, make) {
  const shows = JSON.stringify(items);
  wall.style.setProperty("--side", `${size}px`);
  const before = [...wall.querySelectorAll(".piece")];
  if (drawn.get(wall) === shows) return before;
  const at = before.indexOf(wall.getRootNode().activeElement);
  wall.replaceChildren(...items.map(make));
  drawn.set(wall, shows);
  const pieces = [...wall.querySelectorAll(".piece")];
  // The keys stay with the picture, or with the place where it was.
  if (at >= 0) (pieces.find((piece) => piece.dataset.id === before[at].dataset.id) ?? pieces[Math.min(at, pieces.length - 1)])?.focus({ preventScroll: true });
  return pieces;
}

// One stop for the Tab key: where the reader left off, or else this piece, or the first.
export function stopAt(wall, pieces, piece) {
  const here = pieces.find((button) => button === wall.getRootNode().activeElement);
  stop(pieces, here ?? piece ?? pieces[0]);
}

// To the piece that the key of an event leads to, if it leads to one.
export function walk(event, pieces) {
  const at = pieces.indexOf(event.target.closest(".piece"));
  const to = pieces[at + step(event.key, at, pieces)];
  if (at < 0 || !to || to === pieces[at]) return;
  event.preventDefault();
  stop(pieces, to);
  to.focus();
}

export function piece(item) {
  const button = press("piece");
  button.dataset.id = item.id;
  button.title = [item.title, item.caption].filter(Boolean).join("\n");
  const [mat, image] = [document.createElement("span"), document.createElement("img")];
  mat.className = "mat";
  image.loading = "lazy";
  image.decoding = "async";
  image.alt = item.alt;
  image.src = item.src;
  mat.append(image);
  button.append(mat, line("title", item.title), line("caption", item.caption));
  return button;
}

export function press(name) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = name;
  return button;
}

function stop(pieces, chosen) {
  for (const button of pieces) button.tabIndex = button === chosen ? 0 : -1;
}

function step(key, at, pieces) {
  const top = (button) => button.getBoundingClientRect().top;
  const columns = pieces.filter((button) => top(button) === top(pieces[0])).length || 1;
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
  if (key === "Home") return -at;
  if (key === "End") return pieces.length - 1 - at;
  return steps[key] ?? 0;
}

function line(name, text) {
  const span = document.createElement("span");
  span.className = name;
  span.textContent = text;
  return span;
}

// The buttons of a picture: in its corner a tick and the way to the menu, below it those of the page's own actions that
// have a sign.
export function more(actions, title) {
  const buttons = actions.map((action) => corner(action.sign, `${action.title}: ${title}`, "corner", action.key));
  const [ticks, own] = [buttons.filter((each) => each.dataset.act === "select"), buttons.filter((each) => each.dataset.act !== "select")];
  return [row("more", [...ticks, corner("⋯", `More: ${title}`, "corner menu-button")]), ...(own.length ? [row("more own", own)] : [])];
}

function row(name, buttons) {
  const box = document.createElement("div");
  box.className = name;
  box.append(...buttons);
  return box;
}

function corner(sign, words, name, act) {
  const button = press(name);
  if (act) button.dataset.act = act;
  button.tabIndex = -1; // the keys do the same
  button.textContent = sign;
  button.title = words;
  button.setAttribute("aria-label", words);
  return button;
}
