// A part and the place where it was found, in two pictures that can be zoomed, with the matching points joined, as a
// Streamlit component. Streamlit calls the function below at every rerun with the same element.

import { DeepZoom, loadOpenSeadragon } from "../../components/openseadragon/deep_zoom.js";
import { button } from "../../components/openseadragon/tools.js";

const AROUND = 1.5; // of a box's long side: how much of its surroundings is shown with it, to each side
const MOST = 60; // lines at a time: more hide the pictures
const STEP = 0.15; // of the stage, which an arrow key moves the picture by
const TOOLS = [
  ["closer", "Closer (+)"],
  ["farther", "Farther (−)"],
  ["region", "The part and its place (p)"],
  ["whole", "The whole pictures (0)"],
  ["native", "The scans’ own pixels (1)"],
  ["joined", "Lines between matching points (l)"],
  ["together", "Move both together (t)"],
  ["full", "Full screen (f)"],
];
const KEYS = { "+": "closer", "=": "closer", "-": "farther", p: "region", 0: "whole", 1: "native", l: "joined", t: "together", f: "full" };
const ARROWS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
const viewers = new WeakMap(); // the element -> PairViewer

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".viewer");
  const viewer = viewers.get(root) ?? new PairViewer(root);
  viewers.set(root, viewer);
  viewer.update(data);
  return () => {
    if (!root.isConnected) viewer.close();
  };
}

class PairViewer {
  constructor(root) {
    Object.assign(this, { root, data: null, shown: "", joined: true, together: false, leader: 0 });
    for (const name of ["tools", "sheets", "lines", "said"]) this[name] = root.querySelector(`.${name}`);
    this.tools.replaceChildren(...TOOLS.map(([name, title]) => button(name, title, () => this.press(name))));
    this.sides = [...root.querySelectorAll(".stage")].map((stage) => ({
      stage,
      zoom: null,
      deep: stage.querySelector(".deep"),
      name: stage.querySelector(".name"),
      place: stage.querySelector(".place"),
    }));
    root.onkeydown = (event) => this.onKey(event);
    this.pressed();
  }

  close() {
    for (const { zoom } of this.sides) zoom?.close();
    viewers.delete(this.root);
  }

  async update(data) {
    this.data = data;
    this.said.textContent = data.sentence;
    for (const [side, { stage, name }] of this.sides.entries()) {
      const { title, alt } = data.sides[side];
      name.textContent = title;
      stage.setAttribute("aria-label", `${title}: ${alt}. Arrow keys move it, + and − zoom, 0 shows the whole, p the place.`);
    }
    try {
      const osd = await loadOpenSeadragon(data.library);
      for (const side of [0, 1]) this.sides[side].zoom ??= this.begin(osd, side);
    } catch (error) {
      this.said.textContent = error.message;
      return;
    }
    if (data !== this.data) return; // a newer rerun was quicker
    if (this.shown === data.key) return;
    this.shown = data.key;
    for (const [side, { zoom }] of this.sides.entries()) {
      const picture = data.sides[side];
      zoom.open(picture, around(picture));
      const mark = document.createElement("div");
      mark.className = "found";
      zoom.lay("found", mark, picture.box);
    }
    this.tool("joined").disabled = !data.points.length;
    this.draw();
  }

  begin(osd, side) {
    const sentence = (text) => (this.said.textContent = text);
    const zoom = new DeepZoom(osd, this.sides[side].deep, () => this.moved(side), sentence);
    for (const event of ["canvas-press", "canvas-scroll", "canvas-pinch"]) zoom.viewer.addHandler(event, () => (this.leader = side));
    return zoom;
  }

  // ---- zooming -------------------------------------------------------------------------------------------------------

  press(name) {
    if (name === "joined" || name === "together") {
      this[name] = !this[name];
      this.pressed();
      this.draw();
      if (name === "together") this.follow();
    } else if (name === "full") {
      if (document.fullscreenElement) document.exitFullscreen();
      else this.sheets.requestFullscreen?.();
    } else if (this.together) this.zoomSide(this.leader, name);
    else for (const side of this.asked()) this.zoomSide(side, name);
  }

  // The stage that has the focus, or both.
  asked() {
    const focus = this.root.getRootNode().activeElement;
    const side = this.sides.findIndex(({ stage }) => stage === focus);
    return side < 0 ? [0, 1] : [side];
  }

  zoomSide(side, name) {
    const { zoom } = this.sides[side];
    if (!zoom?.picture) return;
    if (name === "closer") zoom.zoomBy(1.5);
    else if (name === "farther") zoom.zoomBy(1 / 1.5);
    else if (name === "whole") zoom.home();
    else if (name === "native") zoom.native();
    else zoom.show(around(zoom.picture));
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const side = this.sides.findIndex(({ stage }) => event.composedPath().includes(stage));
    if (side >= 0) this.leader = side;
    if (ARROWS[event.key] && side >= 0) this.sides[side].zoom?.panBy(...ARROWS[event.key]);
    else if (KEYS[event.key]) this.press(KEYS[event.key]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  pressed() {
    for (const name of ["joined", "together"]) this.tool(name).setAttribute("aria-pressed", String(this[name]));
  }

  tool(name) {
    return this.tools.querySelector(`.tool-${name}`);
  }

  moved(side) {
    if (!this.sides[side].zoom?.picture) return;
    const scale = this.sides[side].zoom.scale();
    this.sides[side].place.textContent = `${Math.round(100 * scale)} %`;
    this.sides[side].stage.dataset.scale = scale.toFixed(4);
    if (side === this.leader) this.follow();
    this.draw();
  }

  // Brings the other picture to what corresponds to the middle of the leading one, at the corresponding size.
  follow() {
    const [from, to] = [this.leader, 1 - this.leader].map((side) => this.sides[side].zoom);
    if (!this.together || !from?.picture || !to?.picture) return;
    const [a, b, c, d, e, f] = this.leader ? inverse(this.data.matrix) : this.data.matrix;
    const [x, y] = from.middle();
    const [u, v] = [x * from.picture.width, y * from.picture.height];
    const place = [(a * u + b * v + c) / to.picture.width, (d * u + e * v + f) / to.picture.height];
    to.seeAt(place, from.scale() / Math.sqrt(Math.abs(a * e - b * d)));
  }

  // ---- the lines -----------------------------------------------------------------------------------------------------

  draw() {
    if (!this.data || this.sides.some(({ zoom }) => !zoom?.picture)) return;
    const ends = this.joined ? this.data.points.map((points) => [this.end(0, points[0], points[1]), this.end(1, points[2], points[3])]) : [];
    const inside = ends.filter(([from, to]) => from && to).slice(0, MOST);
    const lines = inside.map(([[ax, ay], [bx, by]]) => `M${ax} ${ay}L${bx} ${by}`).join("");
    const dots = inside.flat().map(([x, y]) => `M${x} ${y}h.01`).join("");
    this.lines.innerHTML = [["ground", lines], ["line", lines], ["under", dots], ["end", dots]]
      .map(([name, path]) => `<path class="${name}" d="${path}"/>`) // numbers alone
      .join("");
    this.root.dataset.lines = inside.length;
    const { points, sentence } = this.data;
    const told = points.length ? `${inside.length} of ${points.length} matching points are joined.` : "";
    if (this.joined && told !== this.told) this.said.textContent = [sentence, told].filter(Boolean).join(" ");
    this.told = told;
  }

  // Where a point of a picture is on the sheets; null where it is out of view.
  end(side, x, y) {
    const { stage, zoom } = this.sides[side];
    const [left, top] = zoom.toStage(x, y);
    if (left < 0 || top < 0 || left > stage.clientWidth || top > stage.clientHeight) return null;
    return [left + stage.offsetLeft + stage.clientLeft, top + stage.offsetTop + stage.clientTop].map((edge) => Math.round(10 * edge) / 10);
  }
}

// A box with its surroundings, as shares of the picture.
function around({ box: [x0, y0, x1, y1], width, height }) {
  const more = AROUND * Math.max((x1 - x0) * width, (y1 - y0) * height);
  const [x, y] = [more / width, more / height];
  return [Math.max(0, x0 - x), Math.max(0, y0 - y), Math.min(1, x1 + x), Math.min(1, y1 + y)];
}

// The way back of (a, b, c; d, e, f), which leads from (x, y) to (a x + b y + c, d x + e y + f).
function inverse([a, b, c, d, e, f]) {
  const whole = a * e - b * d;
  return [e / whole, -b / whole, (b * f - c * e) / whole, -d / whole, a / whole, (c * d - a * f) / whole];
}
