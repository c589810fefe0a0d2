// Two maps side by side: a picture that is pointed at in one is outlined in the other, what is selected in one is so in
// the other, and lines lead from the one place of a picture to its other. Each canvas draws its own part of a line.

import { css } from "./flat.js";
import { numberOf } from "./layout.js";

const LINES = 100; // lines that can still be told apart
const DENSE = 30; // lines from which on they are thinner, and end in smaller dots
const DOT = 3.5; // pixels, the radius of the end of a line
const pairs = new Map(); // the word that both maps have -> Pair

// The pair of a map that has this word, '' for none; `before` is the one that it was in.
export function paired(map, word, before) {
  if (before?.word === word) return before;
  before?.leave(map);
  if (!word) return null;
  if (!pairs.has(word)) pairs.set(word, new Pair(word));
  return pairs.get(word).join(map);
}

class Pair {
  constructor(word) {
    Object.assign(this, { word, members: [], pointed: null, by: null, waiting: false, drawn: 0, wanted: 0 });
  }

  join(map) {
    this.members = [...this.members, map].sort((one, other) => Boolean(one.data.pairing.second) - Boolean(other.data.pairing.second));
    return this;
  }

  leave(map) {
    this.members = this.members.filter((other) => other !== map);
    if (!this.members.length) pairs.delete(this.word);
    for (const other of this.members) other.echo(null);
    clear(map.lines);
    this.ask();
  }

  others(map) {
    return this.members.filter((other) => other !== map && other.scene.layout);
  }

  // A hand, or the keyboard, is on this picture of a map, null for none.
  point(map, id) {
    if (this.pointed === id || (id === null && this.by !== map)) return;
    Object.assign(this, { pointed: id, by: map });
    map.echo(null);
    for (const other of this.others(map)) other.echo(id);
    this.ask();
  }

  // Shown at once; what is selected of pictures that this map has not, Python says.
  select(map, mask) {
    const { ids } = map.scene.layout;
    for (const other of this.others(map)) {
      const theirs = new Uint8Array(other.scene.layout.n);
      mask.forEach((chosen, i) => {
        const j = chosen ? numberOf(other.scene.layout, ids[i]) : undefined;
        if (j !== undefined) theirs[j] = 1;
      });
      other.mirror(theirs);
    }
    this.ask();
  }

  // ---- lines -----------------------------------------------------------------------------------------------------

  ask() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  draw() {
    const ready = this.members.length === 2 && this.members.every(({ data, scene }) => data.pairing?.lines && scene.layout && !scene.flight);
    const ids = ready ? this.ids() : [];
    const places = this.members.map((map) => map.stage.getBoundingClientRect());
    const lines = ids.map((id) => ({ id, ends: this.members.map((map, at) => endOf(map.scene, places[at], id)) }));
    const shown = lines.filter(({ ends }) => ends.some(({ inside }) => inside));
    this.members.forEach((map, at) => drawLines(map, places[at], shown, this.pointed));
    this.drawn = ids.length;
    if (!ready) this.wanted = 0;
    for (const map of this.members) {
      map.root.dataset.lines = shown.length;
      map.say();
    }
  }

  // The pictures that get a line: those selected that both maps have, as many as can be told apart, else the one that
  // is pointed at.
  ids() {
    const [one, other] = this.members.map(({ scene }) => scene);
    this.wanted = one.selected;
    const both = (id) => numberOf(one.layout, id) !== undefined && numberOf(other.layout, id) !== undefined;
    const found = [];
    if (this.pointed !== null && both(this.pointed)) found.push(this.pointed);
    if (!one.selected) return found;
    for (let i = 0; i < one.layout.n && found.length < LINES; i++) {
      const id = one.layout.ids[i];
      if (one.marked[i] && id !== this.pointed && both(id)) found.push(id);
    }
    return found;
  }

  // What there is to say of lines that are not there.
  note() {
    return this.wanted > this.drawn ? `Lines for ${this.drawn.toLocaleString("en")} of the ${this.wanted.toLocaleString("en")} selected pictures.` : "";
  }
}

// Where a line ends, in pixels of the window: at its picture, or at the edge of the map beyond which that lies.
function endOf(scene, place, id) {
  const { x, y } = scene.toScreen(numberOf(scene.layout, id));
  const inside = x >= 0 && y >= 0 && x <= scene.width && y <= scene.height;
  const [left, top] = [Math.min(Math.max(x, 0), scene.width), Math.min(Math.max(y, 0), scene.height)];
  return { x: place.left + left, y: place.top + top, inside };
}

function clear(canvas) {
  if (canvas.width) Object.assign(canvas, { width: 0, height: 0 });
}

function drawLines({ scene, lines: canvas }, place, lines, pointed) {
  if (!lines.length) return clear(canvas);
  const { width, height, ratio } = scene;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
  const context = canvas.getContext("2d");
  context.resetTransform();
  context.clearRect(0, 0, wide, high);
  context.setTransform(ratio, 0, 0, ratio, -place.left * ratio, -place.top * ratio);
  const { paper, accent } = scene.colours();
  const thin = lines.length > DENSE;
  // One stroke a line: a path of all is several times as slow without a graphics card.
  const stroke = ({ ends: [one, other] }) => {
    context.beginPath();
    context.moveTo(one.x, one.y);
    context.lineTo(other.x, other.y);
    context.stroke();
  };
  const dots = ({ ends }, radius) => {
    for (const { x, y, inside } of ends) {
      if (!inside) continue;
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
    }
  };
  const colour = (text, alpha, lineWidth) => Object.assign(context, { strokeStyle: text, fillStyle: text, globalAlpha: alpha, lineWidth });
  for (const own of [false, true]) {
    const part = lines.filter(({ id }) => (id === pointed) === own);
    const many = thin && !own;
    const [wide, dot] = [own ? 2.6 : many ? 1 : 1.6, many ? DOT / 2 : DOT];
    if (!many) {
      colour(css(paper), 0.85, wide + 2.4); // with paper beside them lines are seen on any picture
      part.forEach(stroke);
      part.forEach((line) => dots(line, dot + 1.2));
    }
    colour(css(accent), many ? 0.8 : 1, wide);
    part.forEach(stroke);
    part.forEach((line) => dots(line, dot));
  }
}
