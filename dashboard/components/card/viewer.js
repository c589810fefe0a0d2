// A picture's viewer as a Streamlit component: tools, keys, the map over the picture, regions, and the part in view,
// which the address of the picture's page keeps. Streamlit calls the function below at every rerun with the same element.

import { DeepZoom, loadOpenSeadragon } from "./deep_zoom.js";
import { button, isForViewer } from "./tools.js";

const ADDRESS = "picture_view"; // x,y,width,height in pixels of the picture
const LEAST = 0.004; // of a side: less is a click, not a box
const TOOLS = [
  ["previous", "Previous picture (←)"],
  ["next", "Next picture (→)"],
  ["closer", "Closer (+)"],
  ["farther", "Farther (−)"],
  ["whole", "The whole picture (0)"],
  ["native", "The scan’s own pixels (1)"],
  ["full", "Full screen (f)"],
  ["region", "Draw a region (r)"],
];
const KEYS = {
  ArrowLeft: "previous",
  ArrowRight: "next",
  "+": "closer",
  "=": "closer",
  "-": "farther",
  0: "whole",
  1: "native",
  f: "full",
  r: "region",
};
const MOVES = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }; // shares of the stage
const viewers = new WeakMap(); // the element -> Viewer

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".viewer");
  const viewer = viewers.get(root) ?? new Viewer(root);
  viewers.set(root, viewer);
  viewer.trigger = setTriggerValue;
  viewer.update(data);
  return () => {
    if (!root.isConnected) viewer.close();
  };
}

class Viewer {
  constructor(root) {
    Object.assign(this, { root, data: null, zoom: null, shown: "", saving: 0, from: null, asked: [] });
    for (const name of ["stage", "deep", "cover", "drawn", "tools", "place", "said", "form"]) this[name] = root.querySelector(`.${name}`);
    this.tools.replaceChildren(...TOOLS.map(([name, title]) => button(name, title, () => this.press(name))));
    this.listen = (event) => this.onKey(event);
    this.dialog = root.getRootNode().host?.closest("[role=dialog]");
    this.visited = () => this.visit();
    // Before a dialog hears of Escape: it would close where a box is given up.
    document.addEventListener("keydown", this.listen, true);
    window.addEventListener("popstate", this.visited);
    this.cover.onpointerdown = (event) => this.startBox(event);
    this.cover.onpointermove = (event) => this.from && this.stretch(event);
    this.cover.onpointerup = (event) => this.from && this.endBox(event);
    this.cover.onpointercancel = () => this.draw(false);
    this.note = this.form.querySelector("input");
    this.form.onsubmit = (event) => this.saveBox(event);
    this.form.querySelector("[type=button]").onclick = () => this.dropBox();
  }

  close() {
    document.removeEventListener("keydown", this.listen, true);
    window.removeEventListener("popstate", this.visited);
    clearTimeout(this.saving);
    this.zoom?.close();
    viewers.delete(this.root);
  }

  async update(data) {
    if (data.image !== this.data?.image) {
      const place = this.asked.indexOf(data.image);
      this.asked = place < 0 ? [] : this.asked.slice(place + 1); // somebody went elsewhere, or not as far yet
    }
    this.data = data;
    this.stage.setAttribute("aria-label", `${data.alt}. Arrow keys go to other pictures, + and − zoom, 0 shows the whole.`);
    this.tool("previous").disabled = !data.previous.length;
    this.tool("next").disabled = !data.next.length;
    this.say(data.sentence);
    try {
      const osd = await loadOpenSeadragon(data.library);
      this.zoom ??= new DeepZoom(osd, this.deep, () => this.moved(), (sentence) => this.say(sentence));
    } catch (error) {
      this.say(error.message);
      return;
    }
    if (data !== this.data) return; // a newer rerun was quicker
    const key = `${data.image} ${data.version}`;
    const visiting = this.visiting && this.isOfAddress();
    if (this.shown !== key) {
      const first = !this.shown;
      this.shown = key;
      if (first) this.went = data.goal?.turn; // of an earlier visit
      if (first && this.dialog) this.stage.focus({ preventScroll: true }); // the keys are the picture's at once
      this.draw(false);
      this.closeForm();
      this.zoom.open(data, first || visiting ? this.linked() : null);
    } else if (visiting) this.zoom.see(this.linked());
    if (visiting) this.visiting = false;
    this.overlay();
    this.regions();
    if (data.goal && data.goal.turn !== this.went) {
      this.went = data.goal.turn;
      this.zoom.goTo(data.goal.box);
    }
    this.saveView();
  }

  say(sentence) {
    this.said.textContent = sentence;
  }

  tool(name) {
    return this.tools.querySelector(`.tool-${name}`);
  }

  press(name) {
    const { zoom } = this;
    if (!zoom) return;
    if (name === "previous") this.turn(-1);
    else if (name === "next") this.turn(1);
    else if (name === "closer") zoom.zoomBy(1.5);
    else if (name === "farther") zoom.zoomBy(1 / 1.5);
    else if (name === "whole") zoom.home();
    else if (name === "native") zoom.native();
    else if (name === "region") this.draw(this.cover.hidden);
    else if (name === "full") {
      if (document.fullscreenElement) document.exitFullscreen();
      else this.stage.requestFullscreen?.();
    }
  }

  // To another picture; from the one that was last asked for, if the page has not come to show that yet.
  turn(step) {
    const { previous, image, next } = this.data; // the nearest first
    const row = [...previous.toReversed(), image, ...next];
    const from = row.indexOf(this.asked.at(-1) ?? image);
    const to = from < 0 ? undefined : row[from + step];
    if (to === undefined) return;
    if (!this.asked.length) this.writeView(); // for who comes back
    this.asked.push(to);
    this.trigger("turned", to);
  }

  onKey(event) {
    if (event.composedPath()[0] === this.note) {
      if (event.key !== "Escape") return;
      this.dropBox();
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    if (!isForViewer(event, this.stage, this.dialog)) return;
    if (!this.cover.hidden && event.key === "Escape") this.draw(false);
    else if (!this.cover.hidden && event.key === "Enter") this.takeBox(this.zoom.part() ?? [0, 0, 1, 1]);
    else if (MOVES[event.key] && (event.shiftKey || !this.cover.hidden)) this.zoom?.panBy(...MOVES[event.key]); // to the part that is meant
    else if (!KEYS[event.key]) return;
    else if (event.key === "r") this.draw(true); // once more after a box: Escape ends it
    else if (!event.repeat || !this.asked.length) this.press(KEYS[event.key]);
    event.preventDefault();
    event.stopPropagation();
  }

  moved() {
    if (!this.zoom?.picture) return;
    const scale = this.zoom.scale();
    this.place.textContent = `${Math.round(100 * scale)} %${this.data.place ? ` · ${this.data.place}` : ""}`;
    Object.assign(this.root.dataset, { scale: scale.toFixed(4), image: this.data.image });
    this.saveView();
  }

  // ---- the map and the regions ---------------------------------------------------------------------------------------

  overlay() {
    const { map } = this.data;
    const told = JSON.stringify([this.shown, map?.src, map?.frame]);
    if (map && this.laid === told) return this.look(map);
    this.laid = told;
    if (!map) return this.zoom.lay("map", null);
    const [x0, y0, x1, y1] = map.frame;
    const seen = [Math.max(0, x0), Math.max(0, y0), Math.min(1, x1), Math.min(1, y1)]; // padding lies outside
    const [width, height] = [seen[2] - seen[0], seen[3] - seen[1]];
    const element = document.createElement("div");
    const image = new Image();
    image.alt = map.alt;
    image.src = map.src;
    const percent = (share) => `${100 * share}%`;
    Object.assign(image.style, {
      left: percent((x0 - seen[0]) / width),
      top: percent((y0 - seen[1]) / height),
      width: percent((x1 - x0) / width),
      height: percent((y1 - y0) / height),
    });
    element.append(image);
    this.zoom.lay("map", element, seen);
    this.look(map);
  }

  look(map) {
    const element = this.zoom.layers.get("map");
    element.className = `map${map.smooth ? "" : " sharp"}${map.cut ? " cut" : ""}`;
    element.style.opacity = map.opacity;
  }

  regions() {
    const told = JSON.stringify([this.shown, this.data.regions, this.data.box]);
    if (this.boxes === told) return;
    this.boxes = told;
    if (!this.from) this.drawn.hidden = true; // it lies on the picture now
    if (this.sent && !this.data.box) this.closeForm(); // it is saved
    for (const name of [...this.zoom.layers.keys()]) if (name !== "map") this.zoom.lay(name, null);
    const all = this.data.regions.map(({ box, note }) => [box, note, "region"]);
    if (this.data.box) all.push([this.data.box, "", "region now"]);
    for (const [place, [box, note, kind]] of all.entries()) {
      const element = document.createElement("div");
      element.className = kind;
      element.append(document.createElement("span"));
      element.firstChild.textContent = note; // somebody's words: never HTML
      this.zoom.lay(`region ${place}`, element, box);
      if (kind === "region now" && this.form.hidden) requestAnimationFrame(() => this.ask(element)); // an object's, say
    }
  }

  // ---- drawing a region ----------------------------------------------------------------------------------------------

  draw(on) {
    this.cover.hidden = !on;
    this.drawn.hidden = true;
    this.from = null;
    this.tool("region").setAttribute("aria-pressed", String(on));
    this.say(on ? "Draw boxes on the picture, one after the other. Enter takes the part in view, which arrows, + and - move; Escape stops." : this.data.sentence);
  }

  at(event) {
    const edges = this.cover.getBoundingClientRect();
    return [event.clientX - edges.left, event.clientY - edges.top];
  }

  startBox(event) {
    if (event.button !== 0) return;
    this.from = this.at(event);
    this.cover.setPointerCapture(event.pointerId);
  }

  stretch(event) {
    const to = this.at(event);
    const [left, top] = [0, 1].map((axis) => Math.min(this.from[axis], to[axis]));
    const [width, height] = [0, 1].map((axis) => Math.abs(this.from[axis] - to[axis]));
    this.drawn.hidden = false;
    Object.assign(this.drawn.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
  }

  endBox(event) {
    const ends = [this.zoom.toPicture(...this.from), this.zoom.toPicture(...this.at(event))];
    this.from = null;
    const [x, y] = [0, 1].map((axis) => ends.map((end) => Math.max(0, Math.min(1, end[axis]))).sort((a, b) => a - b));
    const tiny = LEAST * Math.min(1, 1 / this.zoom.scale());
    if (x[1] - x[0] < tiny || y[1] - y[0] < tiny) return this.draw(true);
    this.takeBox([x[0], y[0], x[1], y[1]]);
  }

  // The box waits for its note beside it; the next one can be drawn at once.
  takeBox(box) {
    this.box = box;
    this.sent = false;
    this.trigger("drawn", box);
    this.openForm(this.drawn.hidden ? this.cover : this.drawn);
    this.note.focus({ preventScroll: true });
  }

  ask(element) {
    if (!this.data.box || !this.form.hidden) return;
    Object.assign(this, { box: this.data.box, sent: false });
    this.openForm(element);
  }

  // Below what marks the box, or else above it; over the lower end of one that leaves no room, clear of the tools.
  openForm(mark) {
    this.form.hidden = false;
    const [stage, edges] = [this.stage.getBoundingClientRect(), mark.getBoundingClientRect()];
    const { width, height } = this.form.getBoundingClientRect();
    const [left, below] = [edges.left - stage.left, edges.bottom - stage.top + 8];
    const above = Math.min(edges.top - stage.top, stage.height) - height - 8;
    this.form.style.left = `${Math.max(8, Math.min(left, stage.width - width - 10))}px`;
    const inside = above > 8 ? above : stage.height - height - 8;
    this.form.style.top = `${below + height + 8 <= stage.height ? Math.max(8, below) : inside}px`;
  }

  saveBox(event) {
    event.preventDefault();
    if (this.sent) return;
    this.sent = true;
    this.trigger("saved", { box: this.box, note: this.note.value });
  }

  dropBox() {
    this.closeForm();
    this.drawn.hidden = true;
    this.trigger("drawn", []);
  }

  closeForm() {
    if (this.form.hidden) return;
    const wasIn = this.form.contains(this.root.getRootNode().activeElement);
    this.form.hidden = true;
    this.note.value = "";
    this.sent = false;
    if (wasIn) this.stage.focus({ preventScroll: true });
  }

  // ---- the address ---------------------------------------------------------------------------------------------------

  // Back or Forward: the address is that of another visit, with the part that was in view then.
  visit() {
    clearTimeout(this.saving);
    this.visiting = true;
  }

  isOfAddress() {
    const image = new URLSearchParams(location.search).get("image");
    return image === null || Number(image) === this.data.image;
  }

  linked() {
    if (!this.data.addressed) return null;
    const numbers = (new URLSearchParams(location.search).get(ADDRESS) ?? "").split(",").map(Number);
    const { width, height } = this.data;
    const [x, y, w, h] = numbers;
    if (numbers.length !== 4 || !numbers.every(Number.isFinite) || w <= 0 || h <= 0 || x >= width || y >= height) return null;
    return [x / width, y / height, (x + w) / width, (y + h) / height];
  }

  // Written by us and not by Python, so that zooming costs no rerun; written again after each rerun, because Streamlit
  // puts back an address that it knows.
  saveView() {
    clearTimeout(this.saving);
    this.saving = setTimeout(() => this.writeView(), 250);
  }

  writeView() {
    clearTimeout(this.saving);
    if (!this.data.addressed || this.visiting || !this.zoom?.picture || !this.root.isConnected) return;
    if (!this.isOfAddress()) return this.saveView(); // Streamlit has not written it yet: that of the picture before
    const here = new URL(location.href);
    const part = this.zoom.part();
    const { width, height } = this.data;
    if (part) {
      const [x0, y0, x1, y1] = [part[0] * width, part[1] * height, part[2] * width, part[3] * height].map(Math.round);
      here.searchParams.set(ADDRESS, [x0, y0, Math.max(1, x1 - x0), Math.max(1, y1 - y0)].join(","));
    } else here.searchParams.delete(ADDRESS);
    const address = here.href.replaceAll("%2C", ",");
    if (address !== location.href) history.replaceState(history.state, "", address);
  }
}
