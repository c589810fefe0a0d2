// The map of pictures as a Streamlit component. Streamlit calls the function below at every rerun with the same element;
// what is on the canvas outlives that.

import { decodeRanges, decodeBytes } from "./ranges.js";
import { loadLayout, numberOf } from "./layout.js";
import { Scene } from "./scene.js";
import { listen } from "./gestures.js";
import { openMenu, renamed } from "./actions.js";
import { Toolbar } from "./toolbar.js";
import { Overlay } from "./overlay.js";
import { FullScreen } from "./fullscreen.js";
import { Fitting } from "./fitting.js";
import { Selecting } from "./selecting.js";
import { ViewAddress } from "./address.js";
import { paired } from "./pair.js";

const maps = new WeakMap(); // the element -> PictureMap

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".map");
  const map = maps.get(root) ?? new PictureMap(root);
  maps.set(root, map);
  map.setState = setStateValue;
  map.trigger = setTriggerValue;
  map.update(data);
  return () => {
    if (!root.isConnected) map.close(); // Streamlit may also call this for an update that another overtook
  };
}

class PictureMap {
  constructor(root) {
    Object.assign(this, { root, data: null, shown: null, tool: "move", turn: 0, pair: null, echoed: -1, selecting: new Selecting() });
    this.stage = root.querySelector(".stage");
    this.lines = root.querySelector(".lines");
    this.scene = new Scene(root.querySelector(".pictures"), () => this.framed());
    this.toolbar = new Toolbar(root, (name) => this.press(name));
    this.toolbar.setTool("move");
    this.overlay = new Overlay(root, (number, adding) => this.selectCluster(number, adding), () => this.scene.ask());
    this.full = new FullScreen(root, () => this.toolbar.press("full", this.full.on));
    this.address = new ViewAddress(root, this.scene, () => this.data);
    this.keyed = false;
    listen(this.stage, this.actions());
    this.mini(root.querySelector(".mini"));
    this.fitting = new Fitting(root, this.scene, () => Boolean(this.pair));
    this.stage.addEventListener("blur", () => this.point(-1));
  }

  close() {
    this.selecting.leave();
    this.fitting.close();
    this.address.close();
    if (this.pair) this.scene.painter.gl?.getExtension("WEBGL_lose_context")?.loseContext(); // a browser has few of them
    this.pair = paired(this, "", this.pair);
    this.full.close();
    this.toolbar.point(this.scene, -1);
  }

  // ---- from Python -------------------------------------------------------------------------------------------------

  update(data) {
    const asked = this.data?.points;
    this.data = data;
    this.stage.setAttribute("aria-label", data.alt);
    this.root.classList.toggle("filling", Boolean(data.fill));
    this.full.filling = Boolean(data.fill);
    this.full.left = Boolean(data.pairing?.second); // to the first of two maps
    this.toolbar.name(data.pairing);
    this.pair = paired(this, data.pairing?.word ?? "", this.pair);
    this.pair?.ask(); // lines may be wanted now, or no more
    this.toolbar.legend(data.legend);
    this.fitting.fit();
    if (asked !== data.points) this.load(data);
    else if (this.shown?.points === data.points) {
      this.dress(data, this.shown);
      this.outline(data);
    } // else it is on its way, and will look so
  }

  // Clusters belong to points, so they are asked for when these are here.
  outline(data) {
    this.overlay.ask(data.clusters, data.thumb);
  }

  async load(data) {
    const turn = (this.turn += 1);
    const first = !this.scene.layout;
    if (first) this.toolbar.note("The pictures are on their way …");
    this.root.dataset.moving = 1;
    let layout;
    try {
      layout = await loadLayout(data.points);
    } catch {
      if (turn === this.turn) this.toolbar.note("The map could not be loaded. Reload the page to try again.");
      return;
    }
    if (turn !== this.turn) return; // another layout was asked for meanwhile
    this.fitting.fit();
    this.scene.size = this.data.size;
    this.toolbar.forgetMini();
    this.echo(null);
    this.point(-1);
    this.scene.show(layout, this.data, first ? this.address.linked(layout) : undefined, this.dressOf(this.data, null, layout.n));
    this.fitting.cut = null;
    this.overlay.arrange(layout);
    this.outline(this.data);
    this.shown = this.data;
    this.toolbar.setSelected(this.scene.selected);
    this.address.save();
    const left = this.selecting.left(this.data.points, layout.n);
    if (left) this.select(left, false);
  }

  // What may change without another layout: colours, what fades, what is selected, sizes.
  dress(data, before) {
    const { scene } = this;
    if (data.size !== before.size) {
      const whole = scene.isWhole();
      scene.size = data.size;
      if (whole) scene.showWhole();
    }
    scene.addresses = data;
    const { tints, included, marked } = this.dressOf(data, before, scene.layout.n);
    scene.dress(tints, included, marked);
    this.shown = data;
    this.toolbar.setSelected(scene.selected);
    this.address.save();
  }

  // Colours, what fades and what is selected of n points; what is the same as before is not read again.
  dressOf(data, before, n) {
    const { scene } = this;
    return {
      tints: before && data.tints === before.tints ? scene.tints : data.tints && decodeBytes(data.tints),
      included: before && data.included === before.included ? scene.included : data.included == null ? null : decodeRanges(data.included, n),
      marked: this.selecting.receive(data, n, Boolean(before)) ?? scene.marked,
    };
  }

  // ---- what somebody does --------------------------------------------------------------------------------------------

  actions() {
    return {
      scene: () => this.scene,
      tool: () => this.tool,
      setTool: (name) => this.setTool(name),
      select: (mask, adding) => this.select(mask, adding),
      pick: (i, adding) => this.pick(i, adding),
      act: (name, i) => this.act(name, i),
      acts: () => this.data.actions ?? [],
      menu: (i, x, y) => this.menu(i, x, y),
      hover: (i) => this.hover(i),
      keyed: () => {
        this.keyed = true;
        this.scene.ask();
      },
      clear: () => this.select(new Uint8Array(this.scene.layout.n), false),
      outline: (points) => this.toolbar.outline(points),
      aroundSelection: () => this.aroundSelection(),
    };
  }

  press(name) {
    const { scene } = this;
    if (!scene.layout) return;
    const acts = {
      closer: () => scene.zoomBy(1.5, undefined, undefined, true),
      farther: () => scene.zoomBy(1 / 1.5, undefined, undefined, true),
      whole: () => scene.goTo(scene.whole()),
      selection: () => this.aroundSelection(),
      clear: () => this.select(new Uint8Array(scene.layout.n), false),
      full: () => this.full.toggle(),
      arranged: () => scene.ask(),
    };
    (acts[name] ?? (() => this.setTool(name)))();
  }

  setTool(name) {
    this.tool = name;
    this.toolbar.setTool(name);
  }

  aroundSelection() {
    for (const map of this.pair?.members ?? [this]) map.aroundOwn();
  }

  aroundOwn() {
    if (!this.scene.layout) return;
    const view = this.scene.around(this.scene.marked);
    if (view) this.scene.goTo(view, 400);
  }

  pick(i, adding) {
    if (!this.scene.layout || (i < 0 && adding)) return;
    const { emphasis, marked, layout } = this.scene;
    const mask = adding ? marked.slice() : new Uint8Array(layout.n);
    const chosen = adding ? 1 - mask[i] : 1;
    // What lies exactly below it comes along, since nobody can click that; what fades does not.
    for (const j of i < 0 ? [] : this.scene.stack(i)) if (j === i || emphasis[j]) mask[j] = chosen;
    this.select(mask, false);
  }

  // Does with a picture what the menu and its keys say; to select is ours.
  act(name, i) {
    if (i < 0 || !this.scene.layout) return;
    if (name === "select") this.pick(i, true);
    else this.trigger("done", [name, this.scene.layout.ids[i], Date.now()]);
  }

  menu(i, x, y) {
    const acts = this.data.actions ?? [];
    if (i < 0 || !acts.length) return;
    const { marked, selected } = this.scene;
    const title = marked[i] && selected > 1 ? `${selected.toLocaleString("en")} selected pictures` : (this.toolbar.pointed === i && this.root.querySelector(".card .title")?.textContent) || "Picture";
    const select = marked[i] ? "Take off the selection" : null;
    openMenu(this.root, renamed(acts, { select }), title, x, y, (name) => this.act(name, i), () => this.stage.focus());
  }

  select(mask, adding) {
    const { scene } = this;
    if (adding) scene.marked.forEach((chosen, i) => (mask[i] |= chosen));
    if (mask.every((chosen, i) => chosen === scene.marked[i])) return;
    this.fitting.acted = performance.now();
    scene.dress(scene.tints, scene.included, mask);
    this.toolbar.setSelected(scene.selected);
    this.toolbar.announce(`${scene.selected.toLocaleString("en")} selected`);
    this.pair?.select(this, mask);
    this.setState("marked", this.selecting.send(this.shown.points, mask));
  }

  // Selects what is in a cluster and does not fade.
  selectCluster(number, adding) {
    const { of } = this.overlay.clusters;
    const { emphasis, layout } = this.scene;
    if (of.length === layout.n) this.select(Uint8Array.from(of, (known, i) => (known === number && emphasis[i] ? 1 : 0)), adding);
  }

  hover(i) {
    if (!this.scene.layout) return;
    this.keyed = false;
    this.stage.classList.toggle("over", i >= 0);
    this.point(i);
  }

  point(i, aloud = false) {
    this.toolbar.point(this.scene, i, aloud);
    this.pair?.point(this, i < 0 ? null : this.scene.layout.ids[i]);
  }

  // ---- the other of two maps ------------------------------------------------------------------------------------------

  // The picture that a hand is on there, null for none: outlined here, and seen even where another stands for it.
  echo(id) {
    const { layout } = this.scene;
    this.echoed = id === null || !layout ? -1 : (numberOf(layout, id) ?? -1);
    const frame = this.root.querySelector(".echo");
    frame.hidden = this.echoed < 0;
    this.root.dataset.echo = frame.hidden ? "" : id;
    if (frame.hidden) return;
    frame.querySelector("img").src = this.data.thumb.replace("{id}", id);
    this.placeEcho();
  }

  placeEcho() {
    if (this.echoed < 0) return;
    const { x, y, w, h } = this.scene.box(this.echoed);
    Object.assign(this.root.querySelector(".echo").style, { left: `${x}px`, top: `${y}px`, width: `${w}px`, height: `${h}px` });
  }

  // What was selected there.
  mirror(mask) {
    const { scene } = this;
    if (mask.every((chosen, i) => chosen === scene.marked[i])) return;
    scene.dress(scene.tints, scene.included, mask);
    this.toolbar.setSelected(scene.selected);
  }

  // What there is to say of what is not drawn.
  say() {
    if (!this.scene.layout) return;
    const said = this.pair?.others(this).some(({ data, scene }) => scene.thinned && !data.pairing?.second); // by the first map
    const thinned = this.scene.thinned && !said ? "Where pictures would cover each other, one stands for them. Move closer for the others." : "";
    const lines = this.data?.pairing?.second ? "" : this.pair?.note();
    this.toolbar.note([lines, thinned].filter(Boolean).join(" "));
  }

  // ---- after every frame ---------------------------------------------------------------------------------------------

  framed() {
    const { scene, toolbar } = this;
    const { drawn, waiting, empty, tiles, frames } = scene.counts;
    toolbar.showMini(scene);
    this.overlay.place(scene);
    if (this.keyed && !scene.glide && !scene.flight) {
      const i = scene.nearest(scene.width / 2, scene.height / 2);
      this.point(i, i !== toolbar.pointed);
    } else if (!this.keyed && toolbar.pointed >= 0) this.point(toolbar.pointed);
    this.say();
    this.placeEcho();
    this.pair?.ask();
    const { view, zoom, selected, layout, painter } = scene;
    const loading = this.shown?.points !== this.data.points;
    const moving = scene.glide || scene.flight || loading ? 1 : 0;
    // For tests and whoever else wants to know.
    Object.assign(this.root.dataset, { drawn, waiting, empty, tiles, frames, ...view, zoom, selected, moving, points: layout.n, some: scene.some });
    this.root.dataset.painter = painter.name;
    if (!scene.glide && !scene.flight) this.address.save();
  }

  // ---- the mini-map --------------------------------------------------------------------------------------------------

  mini(element) {
    const go = (event) => {
      const box = element.querySelector("canvas").getBoundingClientRect();
      const at = this.toolbar.mini.toMap(event.clientX - box.left, event.clientY - box.top);
      this.scene.look({ ...this.scene.view, ...at });
    };
    element.onpointerdown = (event) => {
      element.setPointerCapture(event.pointerId);
      go(event);
    };
    element.onpointermove = (event) => element.hasPointerCapture(event.pointerId) && go(event);
  }
}
