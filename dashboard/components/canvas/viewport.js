// The window on a layout: which part of it we look at, how large its pictures are there, and which of them lie where.

import { viewOf, moved, nearer, FARTHEST } from "./camera.js";
import { boundsOf } from "./layout.js";

const SMALLEST = 19; // the side of a picture, in CSS pixels: smaller ones are no pictures any more
const TINY = 6; // the same where pictures have cells, and lie side by side
const MANY = 20000; // and of fewer than so many pictures
const LEAST = 2;
const LARGEST = 240; // until pictures that lie about the same place have come apart, and from then on
const FREED = 6; // times as near as where they were so large
const HUGE = 16384; // the side of a picture whose details are looked at
const AROUND = 34; // pixels around cells, for names and an axis
const MOST = 0.45; // of its height is left free above the map, and of its width beside it
const ROOMS = [{ left: 0, top: 46 }]; // what is free of tools, as long as nobody has said otherwise

// Of a `layout` whose points have an `emphasis`, in a `view`; `drawn` are the points on the canvas. `ask` wants a frame.
export class Viewport {
  constructor() {
    this.rooms = ROOMS;
  }

  // ---- where we look ---------------------------------------------------------------------------------------------

  whole() {
    const side = this.layout.side * this.size;
    const rough = viewOf(this.layout.bounds, this.width, this.height, 16);
    const least = this.layout.cell ? AROUND : 0;
    const margin = Math.min(120, Math.max(least, 10 + this.clamped(side * rough.scale) * 0.6));
    return this.clear(this.layout.bounds, margin);
  }

  // The view that shows a box whole in that of the free rooms where it is the largest, and no larger than `most`.
  clear(box, margin, most = Infinity) {
    const views = this.rooms.map((room) => {
      const { left, top } = this.limited(room);
      const { x, y, scale: whole } = viewOf(box, this.width - left, this.height - top, margin);
      const scale = Math.min(whole, most);
      return { x: x - left / 2 / scale, y: y + top / 2 / scale, scale };
    });
    return views.reduce((best, view) => (view.scale > best.scale ? view : best));
  }

  // What a room takes away, where it does not take too much.
  limited({ left, top }) {
    return { left: Math.min(left, MOST * this.width), top: Math.min(top, MOST * this.height) };
  }

  // The middle of what is free below all that lies above the map, in pixels.
  middle() {
    const { left, top } = this.limited(this.rooms[0]);
    return [(left + this.width) / 2, (top + this.height) / 2];
  }

  // Whether the whole map is in view, or will be as soon as the view has come to where it glides.
  isWhole() {
    const [whole, { x, y, scale }] = [this.whole(), this.glide?.to ?? this.view];
    const near = (a, b) => Math.abs(a - b) * whole.scale < 1;
    return Math.abs(scale / whole.scale - 1) < 0.001 && near(x, whole.x) && near(y, whole.y);
  }

  showWhole() {
    this.glide = null;
    this.view = this.whole();
  }

  // How near we are: 1 shows the whole map.
  get zoom() {
    return this.view.scale / this.whole().scale;
  }

  look(view) {
    this.glide = null;
    this.view = this.held(view);
    this.ask();
  }

  // Go there within a moment, or at once for those who asked for no motion.
  goTo(view, milliseconds = 220) {
    if (this.calm) return this.look(view);
    this.glide = { from: this.view, to: this.held(view), start: performance.now(), milliseconds };
    this.ask();
  }

  // Some of the map always stays in the window.
  held({ x, y, scale }) {
    const { x0, y0, x1, y1 } = this.layout.bounds;
    return { x: Math.min(x1, Math.max(x0, x)), y: Math.min(y1, Math.max(y0, y)), scale };
  }

  move(dx, dy) {
    this.look(moved(this.view, dx, dy));
  }

  // Nearer by a factor about a place of the window, in pixels from its upper left corner, or about its free middle.
  zoomBy(factor, px, py, gliding = false) {
    if (px === undefined) [px, py] = this.middle();
    const whole = this.whole().scale;
    const from = gliding && this.glide ? this.glide.to : this.view;
    const to = nearer(from, factor, px - this.width / 2, py - this.height / 2, whole * FARTHEST, Math.max(2 * whole, this.scaleFor(HUGE)));
    if (gliding) this.goTo(to);
    else this.look(to);
  }

  // The view that shows the selected pictures, or null if there are none.
  around(mask) {
    if (!mask.includes(1)) return null;
    const whole = this.whole().scale;
    const box = boundsOf(this.layout.x, this.layout.y, mask);
    const rough = viewOf(box, this.width, this.height, 20).scale;
    const most = Math.min(whole * 32, Math.max(whole, this.scaleFor(0.6 * Math.min(this.width, this.height))));
    const margin = 20 + 0.7 * this.clamped(this.layout.side * this.size * Math.min(rough, most));
    return this.clear(box, margin, most);
  }

  // Where a point is in the window, in pixels from its upper left corner.
  toScreen(i) {
    const { layout, view } = this;
    return {
      x: this.width / 2 + (layout.x[i] - view.x) * view.scale,
      y: this.height / 2 - (layout.y[i] - view.y) * view.scale,
    };
  }

  toMap(px, py) {
    return {
      x: this.view.x + (px - this.width / 2) / this.view.scale,
      y: this.view.y - (py - this.height / 2) / this.view.scale,
    };
  }

  // ---- what is where -----------------------------------------------------------------------------------------------

  // Whether pictures lie side by side, each in its cell: as long as they are not too small or too many for that.
  tiled(side) {
    return this.layout.cell > 0 && (side >= TINY || this.layout.n <= MANY);
  }

  clamped(side) {
    if (this.tiled(side)) return Math.min(HUGE, Math.max(LEAST, side));
    const held = Math.min(LARGEST * Math.max(1, this.size), Math.max(SMALLEST * Math.min(1.6, Math.max(0.7, this.size)), side));
    return Math.min(HUGE, Math.max(held, side / FREED));
  }

  // The scale at which a picture's side is so large, from where pictures only grow.
  scaleFor(side) {
    return (side * (this.layout.cell > 0 ? 1 : FREED)) / (this.layout.side * this.size);
  }

  // The side, in pixels, of a square picture.
  side() {
    return this.clamped(this.layout.side * this.size * this.view.scale);
  }

  box(i, side = this.side()) {
    const { x, y } = this.toScreen(i);
    const [w, h] = [this.layout.wide[i] * side, this.layout.high[i] * side];
    return { x: x - w / 2, y: y - h / 2, w, h };
  }

  // The picture at a place of the window, -1 if there is none: the uppermost of those drawn.
  at(px, py) {
    if (!this.layout) return -1;
    const side = this.side();
    let best = -1;
    for (const i of this.drawn) {
      const { x, y, w, h } = this.box(i, side);
      const inside = px >= x && px <= x + w && py >= y && py <= y + h;
      if (inside && (best < 0 || this.depthOf(i) < this.depthOf(best))) best = i;
    }
    return best;
  }

  // The drawn picture whose centre is nearest to a place of the window, -1 if none is drawn.
  nearest(px, py) {
    let [best, least] = [-1, Infinity];
    for (const i of this.drawn) {
      const { x, y } = this.toScreen(i);
      const distance = Math.hypot(x - px, y - py);
      if (distance < least && x >= 0 && y >= 0 && x <= this.width && y <= this.height) [best, least] = [i, distance];
    }
    return best;
  }

  // All points, drawn or not, within a closed line of the window, [x, y] in pixels; what fades is left out.
  within(line) {
    const { n, x, y } = this.layout;
    const mask = new Uint8Array(n);
    const shape = line.map(([px, py]) => this.toMap(px, py));
    const box = boundsOf(shape.map((p) => p.x), shape.map((p) => p.y));
    for (let i = 0; i < n; i++) {
      if (x[i] < box.x0 || x[i] > box.x1 || y[i] < box.y0 || y[i] > box.y1 || !this.emphasis[i]) continue;
      let inside = false;
      for (let a = 0, b = shape.length - 1; a < shape.length; b = a++) {
        const [p, q] = [shape[a], shape[b]];
        if (p.y > y[i] !== q.y > y[i] && x[i] < ((q.x - p.x) * (y[i] - p.y)) / (q.y - p.y) + p.x) inside = !inside;
      }
      mask[i] = inside ? 1 : 0;
    }
    return mask;
  }

  // All points at the very place of a point, itself among them: copies, of which only the uppermost is seen.
  stack(i) {
    const { n, x, y } = this.layout;
    const found = [];
    for (let j = 0; j < n; j++) if (x[j] === x[i] && y[j] === y[i]) found.push(j);
    return found;
  }

  depthOf(i) {
    return (2 - this.emphasis[i] + (i + 1) / (this.layout.n + 2)) / 3;
  }
}
