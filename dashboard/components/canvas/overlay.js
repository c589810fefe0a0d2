// What helps to read a layout and moves with it: names of blocks, an axis, outlines of clusters with their labels.

import { decodeBytes } from "./ranges.js";
import { boundsOf } from "./layout.js";
import { css } from "./flat.js";
import { make } from "./toolbar.js";
import { ticks } from "./ticks.js";

const NARROW = 34; // pixels that a block's name needs, at least
const SCANT = 80; // pixels below which there is no room for a number beside it
const MARGIN = 0.3; // of a cell, at the right of a block
const ALONE = 160; // pixels that the name of the only block may take
const LEGIBLE = 7; // pixels of a picture from which on its years are drawn
const BETWEEN = 4; // pixels between labels
const NAME_HIGH = 18; // pixels of the line of a block's name
const NONE = { of: [], groups: [] };

export class Overlay {
  // `choose(number, adding)` is called when somebody clicks the label of a cluster, `changed()` when a frame is wanted.
  constructor(root, choose, changed) {
    this.find = (name) => root.querySelector(`.${name}`);
    Object.assign(this, { choose, changed, asked: "", clusters: NONE, labels: [], lit: 0, blank: true });
    Object.assign(this, { blocks: [], axis: null, marks: "", open: [], spans: [] });
  }

  // ---- blocks and axis -----------------------------------------------------------------------------------------

  arrange({ blocks, axis, open, spans, x, y }) {
    this.axis = axis;
    const ends = spans ? new Float32Array(decodeBytes(spans).buffer) : [];
    this.spans = [...y.keys()].filter((i) => ends[2 * i] < ends[2 * i + 1]).map((i) => ({ x0: ends[2 * i], x1: ends[2 * i + 1], y: y[i] }));
    this.open = open.map(([number, side]) => ({ x: x[number], y: y[number], side }));
    this.blocks = blocks.map((block) => {
      const element = make("div", "block");
      const [name, count] = [make("span", "name", block.text), make("span", "count", block.count.toLocaleString("en"))];
      element.append(...(axis ? [count, name] : [name, count])); // "14 without a date"
      return { ...block, element, count };
    });
    this.find("blocks").replaceChildren(...this.blocks.map(({ element }) => element));
    this.find("axis").hidden = !axis;
    this.find("stage").classList.toggle("lined", Boolean(axis));
    this.marks = "";
  }

  // ---- clusters --------------------------------------------------------------------------------------------------

  // Fetches what is at this address, '' for no clusters, unless it is here already.
  async ask(address, thumb) {
    if (address === this.asked) return;
    this.asked = address;
    this.show(NONE, thumb);
    const answer = address && (await fetch(address).catch(() => null));
    const found = answer?.ok ? await answer.json() : NONE;
    if (this.asked !== address) return; // others were asked for meanwhile
    if (found.groups.length) this.show({ ...found, of: new Int16Array(decodeBytes(found.of).buffer) }, thumb);
    this.changed();
  }

  show(clusters, thumb) {
    this.clusters = clusters;
    this.labels = clusters.groups.map((group) => {
      const [x, y] = [0, 1].map((axis) => group.rings[0].map((at) => at[axis]));
      return { ...group, box: boundsOf(x, y), ...this.label(group, thumb) };
    });
    this.find("labels").replaceChildren(...this.labels.map(({ element }) => element));
    this.lit = 0;
  }

  label({ number, name, count, image, rings, vocabulary, colour }, thumb) {
    const picture = make("img", "");
    picture.alt = "";
    picture.src = thumb.replace("{id}", image);
    const words = make("span", "words");
    words.append(make("span", "name", name), make("span", "count", `${count.toLocaleString("en")} pictures`));
    const element = make("button", "label");
    element.type = "button";
    const by = vocabulary ? `, by the vocabulary ${vocabulary}` : "";
    element.title = `${name}${by}: select these ${count.toLocaleString("en")} pictures`;
    element.dataset.cluster = number;
    if (colour) element.style.borderColor = colour;
    element.append(picture, words);
    element.onclick = (event) => this.choose(number, event.shiftKey);
    element.onpointerenter = element.onfocus = () => this.light(number);
    element.onpointerleave = element.onblur = () => this.light(0);
    return { element, path: new Path2D(rings.map(smooth).join("")) };
  }

  // ---- after every frame -----------------------------------------------------------------------------------------

  place(scene) {
    const there = !scene.flight; // while pictures fly, nothing is where its outline says
    for (const name of ["outlines", "labels", "blocks"]) this.find(name).style.visibility = there ? "" : "hidden";
    if (!there) return;
    this.placeBlocks(scene);
    this.placeAxis(scene);
    this.draw(scene);
    this.placeClusters(scene);
  }

  placeBlocks(scene) {
    const alone = this.blocks.length === 1;
    const above = this.blocks.length ? this.above() : [];
    for (const { element, count, x0, x1, y1 } of this.blocks) {
      const [left, top] = [toX(scene, x0), toY(scene, y1)];
      const room = (x1 - x0 + MARGIN) * scene.view.scale;
      const wide = alone ? Math.max(ALONE, room) : room;
      element.hidden = wide < NARROW || left > scene.width || left + wide < 0 || top < 0 || top > scene.height + 20;
      if (element.hidden) continue;
      const shift = Math.max(0, Math.min(-left, wide - NARROW * 2)); // the name stays in view as long as its block does
      const line = above.filter(({ y0, y1 }) => y0 < top && y1 > top - NAME_HIGH);
      const [from, to] = freeSpan(left + shift, left + wide, line);
      element.hidden = to - from < NARROW;
      if (element.hidden) continue;
      element.style.maxWidth = `${to - from}px`;
      count.hidden = to - from < SCANT;
      const x = alone ? Math.min(from, scene.width - element.offsetWidth - BETWEEN) : from;
      element.style.transform = `translate(${x}px, calc(${top - 2}px - 100%))`;
    }
  }

  placeAxis(scene) {
    if (!this.axis) return;
    const marks = ticks(this.axis, scene.view, scene.width);
    const text = JSON.stringify(marks.map(({ x, text }) => [Math.round(x), text]));
    if (text === this.marks) return;
    this.marks = text;
    const elements = marks.map(({ x, text }) => {
      const mark = make("span", "mark", text);
      mark.style.left = `${x}px`;
      return mark;
    });
    this.find("axis").replaceChildren(...elements);
  }

  // Outlines with paper beside the line, which is seen on any picture. Not as SVG: a browser without a graphics card needs
  // several times as long for that.
  draw(scene) {
    const canvas = this.find("outlines");
    const { view, width, height, ratio } = scene;
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
    else if (this.blank && this.isEmpty()) return;
    const context = canvas.getContext("2d");
    context.resetTransform();
    context.clearRect(0, 0, wide, high);
    this.blank = this.isEmpty();
    const scale = view.scale * ratio;
    context.setTransform(scale, 0, 0, -scale, wide / 2 - view.x * scale, high / 2 + view.y * scale);
    context.lineJoin = "round";
    const { paper, accent } = scene.colours();
    for (const { path, number, colour } of this.labels) {
      const lit = number === this.lit;
      const ink = colour || css(accent);
      context.globalAlpha = lit ? 0.2 : 0.07;
      context.fillStyle = ink;
      context.fill(path);
      for (const [line, pixels, alpha] of [[colour ? around(colour, paper) : css(paper), 4.5, 0.75], [ink, lit ? 3 : 1.8, 1]]) {
        Object.assign(context, { globalAlpha: alpha, lineWidth: pixels / view.scale, strokeStyle: line });
        context.stroke(path);
      }
    }
    this.drawSpans(context, scene, accent);
    this.drawOpen(context, scene, paper, accent);
  }

  isEmpty() {
    return !this.labels.length && !this.open.length && !this.spans.length;
  }

  // A picture that may be from any of some years has a bar below it from the first to the last of them.
  drawSpans(context, { view, width, height }, accent) {
    if (view.scale < LEGIBLE) return;
    const [across, up] = [width / 2 / view.scale + 1, height / 2 / view.scale + 1];
    Object.assign(context, { globalAlpha: 0.5, fillStyle: css(accent) });
    const thick = Math.max(0.045, 1.2 / view.scale);
    const end = Math.max(0.025, 0.8 / view.scale);
    for (const { x0, x1, y } of this.spans) {
      if (x1 < view.x - across || x0 > view.x + across || Math.abs(y - view.y) > up) continue;
      const low = y - 0.5 + thick / 2;
      context.fillRect(x0, low - thick / 2, x1 - x0, thick);
      for (const x of [x0, x1]) context.fillRect(x - end, low - thick / 2, 2 * end, 0.14);
    }
  }

  // A picture that may be any earlier, or any later, than where it lies on the time line has an arrow on that side.
  drawOpen(context, { view, width, height }, paper, accent) {
    if (!this.open.length) return;
    const [across, up] = [width / 2 / view.scale + 1, height / 2 / view.scale + 1];
    Object.assign(context, { globalAlpha: 1, lineWidth: 0.05, strokeStyle: css(paper), fillStyle: css(accent) });
    for (const { x, y, side } of this.open) {
      if (Math.abs(x - view.x) > across || Math.abs(y - view.y) > up) continue;
      context.beginPath();
      context.moveTo(x + side * 0.3, y - 0.16);
      context.lineTo(x + side * 0.52, y);
      context.lineTo(x + side * 0.3, y + 0.16);
      context.closePath();
      context.stroke();
      context.fill();
    }
  }

  light(number) {
    this.lit = number;
    this.changed();
  }

  // The largest labels come first; one that would cover another, or lie below the tools, makes way, or waits until there
  // is room.
  placeClusters(scene) {
    if (!this.labels.length) return;
    const above = this.above();
    const taken = [...above];
    const free = (place) => !taken.some((other) => meet(place, other));
    for (const label of this.labels) {
      const { element } = label;
      const place = placeOf(label, scene, above, free, element.matches(":focus"));
      element.style.visibility = place ? "" : "hidden";
      if (!place) continue;
      taken.push(place);
      element.style.transform = `translate(${place.x0}px, ${place.y0}px)`;
    }
  }

  // What lies above the labels: boxes in pixels of the stage.
  above() {
    const stage = this.find("pictures").getBoundingClientRect();
    const boxes = ["tools", "legend", "title-of-map", "mini", "note"].map((name) => this.find(name).getBoundingClientRect());
    return boxes
      .filter((box) => box.width)
      .map(({ left, right, top, bottom }) => ({
        x0: left - stage.left,
        x1: right - stage.left,
        y0: top - stage.top,
        y1: bottom - stage.top,
      }));
  }
}

// Where a label lies: beside the outline of its cluster, or on its upper edge, or as near to that as what lies `above`
// lets it. Undefined where
// it cannot be, but with the focus it is always somewhere.
function placeOf(label, scene, above, free, focused) {
  const { element, box } = label;
  const { width, height } = scene;
  const wide = (label.wide ||= element.offsetWidth);
  const high = (label.high ||= element.offsetHeight);
  const own = { x0: toX(scene, box.x0), x1: toX(scene, box.x1), y0: toY(scene, box.y1), y1: toY(scene, box.y0) };
  const [left, right] = [Math.max(0, own.x0), Math.min(width, own.x1)];
  const x = Math.min(Math.max((left + right - wide) / 2, BETWEEN), width - wide - BETWEEN);
  const y = Math.max(own.y0 - high / 2, BETWEEN);
  const at = (x0, y0) => ({ x0, y0, x1: x0 + wide, y1: y0 + high });
  const preferred = at(x, y);
  if (left < right && own.y1 > high && own.y0 < height - high) {
    const away = BETWEEN + 1;
    const within = ({ x0, y0, x1, y1 }) => x0 >= 0 && y0 >= 0 && x1 <= width && y1 <= height;
    const middle = Math.min(Math.max((own.y0 + own.y1 - high) / 2, BETWEEN), height - high - BETWEEN);
    const outside = [at(x, own.y0 - high - 1), at(x, own.y1 + 1), at(own.x1 + 1, middle), at(own.x0 - wide - 1, middle)];
    const clear = outside.find((place) => within(place) && free(place));
    if (clear) return clear;
    if (free(preferred)) return preferred;
    const beside = above.flatMap((other) => [
      at(x, other.y1 + away),
      at(x, other.y0 - high - away),
      at(other.x0 - wide - away, y),
      at(other.x1 + away, y),
    ]);
    const found = beside.find((place) => within(place) && meet(place, own) && free(place));
    if (found) return found;
  }
  return focused ? preferred : undefined;
}

// The longest part of a line that none of these boxes covers.
export function freeSpan(from, to, boxes) {
  let spans = [[from, to]];
  for (const { x0, x1 } of boxes) {
    spans = spans.flatMap(([start, end]) => [[start, Math.min(end, x0 - BETWEEN)], [Math.max(start, x1 + BETWEEN), end]]);
  }
  return spans.reduce((best, span) => (span[1] - span[0] > best[1] - best[0] ? span : best), [from, from]);
}

function meet(one, other) {
  const across = one.x0 < other.x1 + BETWEEN && other.x0 < one.x1 + BETWEEN;
  return across && one.y0 < other.y1 + BETWEEN && other.y0 < one.y1 + BETWEEN;
}

function toX({ view, width }, x) {
  return width / 2 + (x - view.x) * view.scale;
}

function toY({ view, height }, y) {
  return height / 2 - (y - view.y) * view.scale;
}

// A closed curve that touches the middle of each side of a ring.
function smooth(ring) {
  const middle = (one, other) => `${(one[0] + other[0]) / 2} ${(one[1] + other[1]) / 2}`;
  const next = (i) => ring[i % ring.length];
  const curves = ring.map((_, i) => `Q${next(i + 1).join(" ")} ${middle(next(i + 1), next(i + 2))}`);
  return `M${middle(ring[0], ring[1])}${curves.join("")}Z`;
}

// The ground's own colour keeps a line of `colour`, #rrggbb, off the pictures; off a ground of nearly its own colour the
// opposite one does.
function around(colour, paper) {
  const light = ([red, green, blue]) => 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  const own = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);
  if (Math.abs(light(own) - light(paper)) > 0.15) return css(paper);
  return light(paper) < 0.5 ? "rgb(255 255 255)" : "rgb(0 0 0)";
}
