// Maps over one picture that share a cursor. A patch is passed on to the others by where its centre lies in the picture, as
// fractions of its sides, so that panes with other grids, and panes of other walls on the page, mark what it covers.
// Titles and notes are set as text, never as HTML: they come from somebody's spreadsheet.

const MOVED = "bilderatlas:cursor"; // {group, at: {x, y} or null}
const walls = new WeakMap(); // the wall's element -> {data, send, stop}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".panes");
  const wall = walls.get(root) ?? open(root);
  Object.assign(wall, { data, send: (patch) => setTriggerValue("picked", patch) });
  root.classList.toggle("large", data.large);
  root.classList.toggle("pick", data.pick);
  root.classList.toggle("rows", data.rows);
  root.style.setProperty("--columns", data.columns);
  root.style.setProperty("--least", `calc((100% - ${0.6 * (data.columns - 1)}rem) / ${data.columns})`);
  while (root.children.length > data.panes.length) root.lastChild.remove();
  while (root.children.length < data.panes.length) root.append(empty());
  data.panes.forEach((pane, number) => fill(root.children[number], pane));
  for (const figure of root.children) lay(figure.querySelector(".chosen"), data.chosen);
  point(wall, root, wall.at);
  return () => {
    if (!root.isConnected) wall.stop(); // Streamlit may also call this for an update that another overtook
  };
}

function open(root) {
  const onMoved = (event) => {
    if (event.detail.group === wall.data.group) point(wall, root, event.detail.at);
  };
  const wall = { data: null, send: null, at: null, stop: () => document.removeEventListener(MOVED, onMoved) };
  document.addEventListener(MOVED, onMoved);
  walls.set(root, wall);
  root.onpointermove = (event) => move(wall, under(wall, root, event));
  root.onpointerleave = () => move(wall, null);
  root.onclick = (event) => choose(wall, under(wall, root, event));
  root.onkeydown = (event) => press(wall, root, event);
  root.onfocusout = () => move(wall, null);
  return wall;
}

function empty() {
  const figure = make("figure", "");
  const stage = make("div", "stage");
  stage.tabIndex = 0;
  stage.setAttribute("role", "application"); // the arrow keys are ours, not the screen reader's
  const image = make("img", "");
  image.draggable = false;
  // No map is taller than the window, however long the picture.
  image.onload = () => stage.style.setProperty("--ratio", image.naturalWidth / image.naturalHeight);
  stage.append(image, make("div", "mark chosen"), make("div", "mark cursor"));
  const caption = make("figcaption", "");
  const note = make("span", "note");
  const here = make("span", "here");
  here.setAttribute("aria-live", "polite");
  note.append(make("span", "rest"), here);
  caption.append(make("span", "title"), note);
  figure.append(stage, caption);
  return figure;
}

function fill(figure, pane) {
  const image = figure.querySelector("img");
  if (image.getAttribute("src") !== pane.src) image.src = pane.src;
  image.alt = pane.alt;
  figure.querySelector(".stage").setAttribute("aria-label", `${pane.alt} Arrow keys move over the patches.`);
  figure.querySelector("figcaption").hidden = !pane.title;
  figure.querySelector(".title").textContent = pane.title;
  figure.querySelector(".rest").textContent = pane.note;
}

// ---- where things are --------------------------------------------------------------------------------------------

// The patch under the pointer: {number of the pane, row, col}, or null.
function under(wall, root, event) {
  const stage = event.target.closest(".stage");
  if (!stage) return null;
  const number = [...root.children].indexOf(stage.parentElement);
  const box = stage.querySelector("img").getBoundingClientRect();
  const at = { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  const cell = cellAt(wall.data.panes[number], at);
  return cell && { pane: number, ...cell };
}

function cellAt({ frame: [x0, y0, x1, y1], rows, cols }, { x, y }) {
  const row = Math.floor(((y - y0) / (y1 - y0)) * rows);
  const col = Math.floor(((x - x0) / (x1 - x0)) * cols);
  return row >= 0 && row < rows && col >= 0 && col < cols ? { row, col } : null;
}

function boxOf({ frame: [x0, y0, x1, y1], rows, cols }, { row, col }) {
  const [width, height] = [(x1 - x0) / cols, (y1 - y0) / rows];
  return [x0 + col * width, y0 + row * height, x0 + (col + 1) * width, y0 + (row + 1) * height];
}

function centre([x0, y0, x1, y1]) {
  return { x: (x0 + x1) / 2, y: (y0 + y1) / 2 };
}

// ---- what happens --------------------------------------------------------------------------------------------------

function move(wall, patch) {
  const at = patch && centre(boxOf(wall.data.panes[patch.pane], patch));
  document.dispatchEvent(new CustomEvent(MOVED, { detail: { group: wall.data.group, at } }));
}

function choose(wall, patch) {
  if (patch && wall.data.pick) wall.send(patch);
}

function press(wall, root, event) {
  const stage = event.target.closest(".stage");
  if (!stage) return;
  const number = [...root.children].indexOf(stage.parentElement);
  const pane = wall.data.panes[number];
  const here = (wall.at && cellAt(pane, wall.at)) ?? middle(pane, wall.data.chosen);
  const [down, right] =
    { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [];
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    if (wall.at) choose(wall, { pane: number, ...here });
    else move(wall, { pane: number, ...here });
  } else if (event.key === "Escape") {
    move(wall, null);
  } else if (down !== undefined) {
    event.preventDefault();
    const next = wall.at ? { row: here.row + down, col: here.col + right } : here;
    const { x, y } = centre(boxOf(pane, next));
    // Neither out of the grid nor into padding.
    if (x >= 0 && x <= 1 && y >= 0 && y <= 1 && cellAt(pane, { x, y })) move(wall, { pane: number, ...next });
  }
}

// Where the arrow keys begin: at the chosen patch, or in the middle of the picture that the network saw.
function middle(pane, chosen) {
  const [x0, y0, x1, y1] = pane.frame.map((edge) => Math.min(1, Math.max(0, edge)));
  return (chosen && cellAt(pane, centre(chosen))) ?? cellAt(pane, centre([x0, y0, x1, y1]));
}

function point(wall, root, at) {
  wall.at = at;
  wall.data.panes.forEach((pane, number) => {
    const figure = root.children[number];
    const cell = at && cellAt(pane, at);
    lay(figure.querySelector(".cursor"), cell && boxOf(pane, cell));
    const value = cell && pane.values[cell.row * pane.cols + cell.col];
    figure.querySelector(".note").classList.toggle("over", Boolean(cell));
    figure.querySelector(".here").textContent = cell ? `r${cell.row}c${cell.col} ${value ?? ""}` : "";
  });
}

// Lays a mark over a box of the picture; what lies outside the picture is cut off.
function lay(mark, box) {
  mark.hidden = !box;
  if (!box) return;
  const [x0, y0, x1, y1] = box.map((edge) => Math.min(1, Math.max(0, edge)) * 100);
  Object.assign(mark.style, { left: `${x0}%`, top: `${y0}%`, width: `${x1 - x0}%`, height: `${y1 - y0}%` });
}

function make(tag, name) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  return element;
}
