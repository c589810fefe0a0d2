// What is on the canvas: the layout, what is selected and what fades; and each frame made of that.

import { moved, between, boxOf } from "./camera.js";
import { LevelOfDetail, DEPTHS } from "./level_of_detail.js";
import { numberOf } from "./layout.js";
import { SpriteSheets } from "./sprite_sheets.js";
import { Tiles } from "./tiles.js";
import { FLOATS, webglPainter } from "./webgl.js";
import { FlatPainter } from "./flat.js";
import { Viewport } from "./viewport.js";

const COVER = 0.7; // of its side is left to each picture, at most, and half of that at least
const FEW = 2000; // of so many points all are drawn, however they overlap
const LOOSE = 1.25; // how far a picture may be enlarged before a sharper one is wanted
const MOVING = 700; // milliseconds from layout to layout
const FADE = 0.86;
const SOME = 12; // selected pictures that are named to whoever asks the element
const RING = 5; // pixels, the gap to the frame among them
const WHOLE = [0, 0, 1, 1];

export class Scene extends Viewport {
  // `changed` is called after every frame.
  constructor(canvas, changed) {
    super();
    const painter = webglPainter(canvas) ?? new FlatPainter(canvas);
    Object.assign(this, { canvas, changed, painter, layout: null, view: null, width: 1, height: 1, size: 1 });
    Object.assign(this, { tints: null, included: null, marked: null, flight: null, glide: null, waiting: false, lost: false });
    this.counts = { drawn: 0, empty: 0, waiting: 0, tiles: 0, frames: 0 };
    this.sprites = new SpriteSheets(painter, () => this.ask());
    this.tiles = new Tiles(this.sprites, () => this.ask());
    this.calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      this.lost = true;
    });
    canvas.addEventListener("webglcontextrestored", () => {
      painter.start();
      this.sprites.clear();
      this.lost = false;
      this.ask();
    });
  }

  // ---- what is shown ---------------------------------------------------------------------------------------------

  // Another layout, dressed as below; pictures that were in the one before fly from there. Without `view` it is shown
  // whole.
  show(layout, addresses, view, { tints, included, marked }) {
    const before = this.layout && { layout: this.layout, view: this.view };
    Object.assign(this, { layout, addresses, levelOfDetail: new LevelOfDetail(layout), found: new Uint32Array(layout.n) });
    Object.assign(this, { pages: new Map(), emphasis: null, instances: new Float32Array(1024 * FLOATS) });
    this.drawn = [];
    this.glide = null;
    this.view = view ?? this.whole();
    this.flight = before && !this.calm ? { start: performance.now(), ...this.places(before) } : null;
    this.dress(tints, included, marked);
  }

  // Where on the screen each point was in the layout before; NaN for those that were not in it.
  places({ layout, view }) {
    const [x, y] = [new Float32Array(this.layout.n).fill(NaN), new Float32Array(this.layout.n)];
    this.layout.ids.forEach((id, i) => {
      const old = numberOf(layout, id);
      if (old === undefined) return;
      x[i] = this.width / 2 + (layout.x[old] - view.x) * view.scale;
      y[i] = this.height / 2 - (layout.y[old] - view.y) * view.scale;
    });
    return { x, y };
  }

  // `tints` (3 n) bytes or null, `included` and `marked` (n) of 0 and 1; `included` may be null: all.
  dress(tints, included, marked) {
    const { n } = this.layout;
    const emphasis = new Uint8Array(n);
    this.selected = 0;
    this.some = []; // ids of selected pictures
    for (let i = 0; i < n; i++) {
      emphasis[i] = marked[i] ? 2 : included && !included[i] ? 0 : 1;
      this.selected += marked[i];
      if (marked[i] && this.some.length < SOME) this.some.push(this.layout.ids[i]);
    }
    const same = this.emphasis?.every((known, i) => known === emphasis[i]);
    Object.assign(this, { tints, included, marked, emphasis });
    if (!same) this.levelOfDetail.emphasise(emphasis);
    this.ask();
  }

  // With `still` every picture stays where it is in the window, as seen from its upper left corner; else what was shown
  // whole is so again, in one of the `rooms` that are free.
  resize(width, height, ratio, rooms, still = false) {
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    const same = this.canvas.width === wide && this.canvas.height === high && this.width === width;
    const free = rooms.every(({ left, top }, at) => left === this.rooms[at]?.left && top === this.rooms[at].top) && rooms.length === this.rooms.length;
    if (!wide || !high || (same && free)) return;
    const whole = this.view && this.isWhole();
    this.rooms = rooms;
    if (same) return void (whole && !still && this.goTo(this.whole()));
    const [right, down] = [(width - this.width) / 2, (height - this.height) / 2];
    Object.assign(this.canvas, { width: wide, height: high });
    Object.assign(this, { width, height, ratio });
    if (still) this.look(moved(this.view, -right, -down));
    else if (whole) this.showWhole();
    if (this.layout) this.paint(); // at once: a canvas that has changed its size is blank
  }

  // ---- a frame -----------------------------------------------------------------------------------------------------

  ask() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      if (this.layout && !this.lost && this.canvas.isConnected) this.paint();
    });
  }

  paint() {
    const now = performance.now();
    const going = this.advance(now);
    const side = this.side();
    const count = this.choose(side);
    const { batches, total } = this.gather(count, side, now);
    this.painter.paint(this.instances.subarray(0, total * FLOATS), batches, { width: this.width, height: this.height, colours: this.colours() });
    this.counts.frames += 1;
    this.changed();
    if (going) this.ask();
  }

  // Moves a view that glides and pictures that fly; says whether there is more to come.
  advance(now) {
    if (this.glide) {
      const { from, to, start, milliseconds } = this.glide;
      const share = Math.min(1, Math.max(0, now - start) / milliseconds);
      this.view = share < 1 ? between(from, to, eased(share)) : to;
      if (share === 1) this.glide = null;
    }
    if (this.flight && now - this.flight.start >= MOVING) this.flight = null;
    return Boolean(this.glide || this.flight);
  }

  // The pictures to draw, into `this.found`; returns how many.
  choose(side) {
    const { layout, levelOfDetail, view, width, height } = this;
    const box = boxOf(view, width, height, this.flight ? 1e6 : 0.9 * side);
    const all = layout.n <= Math.min(FEW, this.painter.most);
    const depth = all ? DEPTHS + 1 : levelOfDetail.depthFor(view.scale, (this.painter.most < Infinity ? 2 : 1) * COVER * side);
    const count = levelOfDetail.visible(box, depth, this.found);
    this.drawn = this.found.subarray(0, count);
    this.counts.drawn = count;
    const tiled = this.tiled(layout.side * this.size * view.scale);
    this.thinned = !all && !tiled && depth <= DEPTHS && count > 0;
    return count;
  }

  // The numbers of each picture for the painter, those of one sheet together.
  gather(count, side, now) {
    this.sprites.begin();
    const sharp = side * this.ratio;
    const groups = new Map();
    let [waiting, empty] = [0, 0];
    for (let at = 0; at < count; at++) {
      const i = this.found[at];
      const { sheet, place, late } = this.sheetOf(i, sharp * Math.max(this.layout.wide[i], this.layout.high[i]));
      waiting += late;
      empty += sheet ? 0 : 1;
      if (!groups.has(sheet)) groups.set(sheet, []);
      groups.get(sheet).push(i, place);
    }
    const { tiles, late } = this.flight ? { tiles: [], late: 0 } : this.tiles.of(this, side);
    waiting += late;
    this.sprites.end();
    Object.assign(this.counts, { waiting, empty, tiles: tiles.length });
    const total = count + tiles.length;
    if (this.instances.length < total * FLOATS) this.instances = new Float32Array(2 * total * FLOATS);
    const share = this.flight ? eased(Math.max(0, now - this.flight.start) / MOVING) : 1;
    const batches = [];
    let first = 0;
    for (const [sheet, members] of groups) {
      for (let at = 0; at < members.length; at += 2) this.put(first + at / 2, members[at], members[at + 1], sheet, side, share);
      batches.push({ sheet, first, count: members.length / 2 });
      first += members.length / 2;
    }
    for (const tile of tiles) {
      this.putTile(first, tile);
      batches.push({ sheet: tile.sheet, first: first++, count: 1 });
    }
    return { batches, total };
  }

  // A tile lies just above its picture.
  putTile(slot, { i, x, y, w, h }) {
    const { instances } = this;
    let at = slot * FLOATS;
    instances.set([x + w / 2, y + h / 2, w, h], at);
    at = this.putWhole(at + 4);
    instances.set([this.depthOf(i) - 0.5 / (3 * (this.layout.n + 2)), 0, 0, 0, this.emphasis[i] === 0 ? FADE : 0], at);
  }

  put(slot, i, place, sheet, side, share) {
    const { layout, tints, emphasis, flight, view, instances } = this;
    let x = this.width / 2 + (layout.x[i] - view.x) * view.scale;
    let y = this.height / 2 - (layout.y[i] - view.y) * view.scale;
    if (flight && flight.x[i] === flight.x[i]) {
      x = flight.x[i] + (x - flight.x[i]) * share;
      y = flight.y[i] + (y - flight.y[i]) * share;
    }
    let at = slot * FLOATS;
    instances[at++] = x;
    instances[at++] = y;
    instances[at++] = layout.wide[i] * side;
    instances[at++] = layout.high[i] * side;
    at = place < 0 || !sheet ? this.putWhole(at) : this.putCell(at, place, sheet);
    instances[at++] = this.depthOf(i);
    instances[at++] = tints ? tints[3 * i] * 65536 + tints[3 * i + 1] * 256 + tints[3 * i + 2] : 0;
    instances[at++] = tints ? Math.min(6, Math.max(2, 0.055 * side)) : 0;
    instances[at++] = emphasis[i] === 2 ? RING : 0;
    instances[at] = emphasis[i] === 0 ? FADE : 0;
  }

  putWhole(at) {
    this.instances.set(WHOLE, at);
    return at + 4;
  }

  putCell(at, place, { width, height, cell }) {
    const columns = Math.floor(this.addresses.side / cell);
    const number = place % (columns * columns);
    const [x, y] = [(number % columns) * cell, Math.floor(number / columns) * cell];
    this.instances[at] = x / width;
    this.instances[at + 1] = y / height;
    this.instances[at + 2] = (x + cell) / width;
    this.instances[at + 3] = (y + cell) / height;
    return at + 4;
  }

  // The best picture of a point that is here: {sheet, place, late}; `place` is -1 for a sheet that holds it alone, `late`
  // is 1 if a better one is on its way.
  sheetOf(i, pixels) {
    const { layout, addresses, sprites } = this;
    const cells = layout.places ? addresses.cells : [];
    const place = layout.places ? layout.places[i] : -1;
    const wanted = cells.find((cell) => pixels <= cell * LOOSE) ?? Infinity; // Infinity: the thumbnail
    let late = 0;
    if (wanted === Infinity) {
      const single = addresses.thumb.replace("{id}", layout.ids[i]);
      const sheet = sprites.get(single);
      if (sheet) return { sheet, place: -1, late };
      late = sprites.want(single, pixels * 1e-3, !cells.length);
    }
    for (let at = cells.length - 1; at >= 0; at--) {
      if (cells[at] > wanted) continue;
      const address = this.pageOf(place, cells[at]);
      const sheet = sprites.get(address);
      if (sheet) {
        sheet.cell = cells[at];
        return { sheet, place, late };
      }
      // The far pages, which are few, come before all that is sharper: no place stays empty for long.
      late |= sprites.want(address, 1, at === 0);
    }
    return { sheet: null, place, late };
  }

  // The address of the page that holds a place.
  pageOf(place, cell) {
    const columns = Math.floor(this.addresses.side / cell);
    const page = Math.floor(place / (columns * columns));
    const key = page * 4096 + cell;
    let address = this.pages.get(key);
    if (!address) {
      address = this.addresses.page.replace("{cell}", cell).replace("{page}", page);
      this.pages.set(key, address);
    }
    return address;
  }

  // The theme's colours, as three numbers 0..1 each.
  colours() {
    const style = getComputedStyle(this.canvas);
    const read = (name, otherwise) => rgb(style.getPropertyValue(name).trim()) ?? otherwise;
    const paper = read("--st-background-color", [1, 1, 1]);
    return {
      paper,
      empty: read("--st-border-color", paper.map((part) => 0.85 * part + 0.07)),
      accent: read("--st-primary-color", [0.6, 0.3, 0.2]),
    };
  }
}

function eased(share) {
  const left = 1 - Math.min(1, share);
  return 1 - left * left * left;
}

function rgb(text) {
  const hex = /^#([0-9a-f]{6})/i.exec(text);
  if (hex) return [0, 2, 4].map((at) => parseInt(hex[1].slice(at, at + 2), 16) / 255);
  const parts = /^rgba?\(([^)]*)\)/.exec(text)?.[1].split(/[ ,/]+/).map(Number);
  return parts?.length >= 3 ? parts.slice(0, 3).map((part) => part / 255) : null;
}
