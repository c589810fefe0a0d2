// A large picture with its selected patches as boxes, as a Streamlit component. Streamlit calls the function below at
// every rerun with the same element.

import { DeepZoom, loadOpenSeadragon } from "../../components/openseadragon/deep_zoom.js";
import { button, isForViewer } from "../../components/openseadragon/tools.js";

const TOOLS = [
  ["closer", "Closer (+)"],
  ["farther", "Farther (−)"],
  ["whole", "The whole picture (0)"],
  ["native", "The scan’s own pixels (1)"],
  ["full", "Full screen (f)"],
];
const KEYS = { "+": "closer", "=": "closer", "-": "farther", 0: "whole", 1: "native", f: "full" };
const viewers = new WeakMap(); // the element -> PatchViewer

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".viewer");
  const viewer = viewers.get(root) ?? new PatchViewer(root);
  viewers.set(root, viewer);
  viewer.trigger = setTriggerValue;
  viewer.update(data);
  return () => {
    if (!root.isConnected) viewer.close();
  };
}

class PatchViewer {
  constructor(root) {
    Object.assign(this, { root, data: null, zoom: null, shown: "", boxes: "" });
    for (const name of ["stage", "deep", "tools", "place", "said"]) this[name] = root.querySelector(`.${name}`);
    this.tools.replaceChildren(...TOOLS.map(([name, title]) => button(name, title, () => this.press(name))));
    this.listen = (event) => this.onKey(event);
    document.addEventListener("keydown", this.listen);
  }

  close() {
    document.removeEventListener("keydown", this.listen);
    this.zoom?.close();
    viewers.delete(this.root);
  }

  async update(data) {
    this.data = data;
    this.stage.setAttribute("aria-label", `${data.alt}. ${data.patches.length} patches are marked. + and − zoom, 0 shows the whole.`);
    this.said.textContent = data.sentence;
    try {
      const osd = await loadOpenSeadragon(data.library);
      this.zoom ??= this.begin(osd);
    } catch (error) {
      this.said.textContent = error.message;
      return;
    }
    if (data !== this.data) return; // a newer rerun was quicker
    const key = `${data.image} ${data.version}`;
    if (this.shown !== key) {
      this.shown = key;
      this.zoom.open(data, null);
    }
    this.mark();
    if (data.goal && data.goal.turn !== this.went) {
      this.went = data.goal.turn;
      this.zoom.goTo(data.goal.box);
    }
  }

  begin(osd) {
    const zoom = new DeepZoom(osd, this.deep, () => this.moved(), (sentence) => (this.said.textContent = sentence));
    zoom.viewer.addHandler("canvas-click", (event) => event.quick && this.pick(zoom.toPicture(event.position.x, event.position.y)));
    return zoom;
  }

  moved() {
    if (!this.zoom?.picture) return;
    this.place.textContent = `${Math.round(100 * this.zoom.scale())} %`;
    Object.assign(this.root.dataset, { image: this.data.image, scale: this.zoom.scale().toFixed(4) });
  }

  // The best of the patches that hold a place.
  pick([x, y]) {
    const found = this.data.patches.find(({ box: [x0, y0, x1, y1] }) => x >= x0 && x < x1 && y >= y0 && y < y1);
    if (found) this.trigger("picked", found.rank);
  }

  mark() {
    const { patches, rank } = this.data;
    const told = JSON.stringify([this.shown, patches, rank]);
    if (this.boxes === told) return;
    this.boxes = told;
    for (const name of [...this.zoom.layers.keys()]) this.zoom.lay(name, null);
    // The best last, above the others.
    for (const each of [...patches].reverse()) {
      const element = document.createElement("div");
      element.className = `patch${each.rank === rank ? " now" : ""}`;
      element.style.setProperty("--score", each.colour);
      element.append(document.createElement("span"));
      element.firstChild.textContent = each.words;
      this.zoom.lay(`patch ${each.rank}`, element, each.box);
    }
  }

  press(name) {
    const { zoom } = this;
    if (!zoom) return;
    if (name === "closer") zoom.zoomBy(1.5);
    else if (name === "farther") zoom.zoomBy(1 / 1.5);
    else if (name === "whole") zoom.home();
    else if (name === "native") zoom.native();
    else if (document.fullscreenElement) document.exitFullscreen();
    else this.stage.requestFullscreen?.();
  }

  onKey(event) {
    if (!KEYS[event.key] || !isForViewer(event, this.stage)) return;
    this.press(KEYS[event.key]);
    event.preventDefault();
  }
}
