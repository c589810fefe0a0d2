// What lies around and above the pictures: tools, hover card, mini-map, legend, and what a screen reader announces.
// All texts are set as text, never as HTML: they come from somebody's spreadsheet.

const ICONS = {
  move: "M8 1v14M1 8h14M8 1 6 3M8 1l2 2M8 15l-2-2M8 15l2-2M1 8l2-2M1 8l2 2M15 8l-2-2M15 8l-2 2",
  box: "M2 3h12v10H2z",
  lasso: "M8 2.5c3.6 0 6 1.8 6 4s-2.4 4-6 4-6-1.8-6-4 2.4-4 6-4zM5 10c-1.5.8-1.5 2 0 2.3s1 2.2-1 2.2",
  closer: "M8 3v10M3 8h10",
  farther: "M3 8h10",
  whole: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
  selection: "M4 4h8v8H4zM1 8h3M12 8h3M8 1v3M8 12v3",
  full: "M9.5 6.5 14 2M10 2h4v4M6.5 9.5 2 14M6 14H2v-4",
  clear: "M3.5 3.5l9 9M12.5 3.5l-9 9",
};
const TOOLS = [
  ["move", "Move the map (m)"],
  ["box", "Select with a box (b)"],
  ["lasso", "Select with a lasso (l)"],
  ["closer", "Closer (+)"],
  ["farther", "Farther (-)"],
  ["whole", "The whole map (0)"],
  ["selection", "Closer to the selection (z)"],
  ["clear", "Clear selection (Escape)"],
  ["full", "Full screen (f)"],
];
const MODES = ["move", "box", "lasso"];
const FOLDED = 520; // pixels of height below which a legend is folded at first
const MINI = 132; // the longer side of the mini-map, in pixels

export class Toolbar {
  constructor(root, act) {
    Object.assign(this, { root, captions: new Map(), timer: 0, pointed: -1 });
    this.find = (name) => root.querySelector(`.${name}`);
    this.find("legend").ontoggle = ({ target }) => {
      this.folded = !target.open;
      act("arranged");
    };
    this.find("tools").replaceChildren(...TOOLS.map(([name, title]) => button(name, title, () => act(name))));
  }

  setTool(name) {
    for (const mode of MODES) this.find(`tool-${mode}`).setAttribute("aria-pressed", String(mode === name));
    this.find("stage").dataset.tool = name;
  }

  // Which of two maps this is; the second has no whole screen of its own.
  name(pairing) {
    this.find("title-of-map").textContent = pairing?.title ?? "";
    this.root.classList.toggle("paired", Boolean(pairing));
    this.find("tool-full").hidden = Boolean(pairing?.second);
  }

  press(name, down) {
    this.find(`tool-${name}`).setAttribute("aria-pressed", String(Boolean(down)));
  }

  setSelected(count) {
    for (const name of ["selection", "clear"]) this.find(`tool-${name}`).disabled = !count;
  }

  // A box or lasso in the making, or null.
  outline(points) {
    this.find("line").setAttribute("points", (points ?? []).map((at) => at.join(",")).join(" "));
  }

  note(text) {
    const note = this.find("note");
    if (note.textContent !== text) note.textContent = text;
  }

  // ---- one picture ---------------------------------------------------------------------------------------------

  // Outlines a picture and shows its card; i is -1 for none. `aloud` announces it too.
  point(scene, i, aloud = false) {
    const frame = this.find("pointed");
    frame.hidden = i < 0;
    if (i >= 0) {
      const { x, y, w, h } = scene.box(i);
      Object.assign(frame.style, { left: `${x}px`, top: `${y}px`, width: `${w}px`, height: `${h}px` });
    }
    if (i === this.pointed && !aloud) {
      if (i >= 0) this.place(scene, i);
      return;
    }
    this.pointed = i;
    clearTimeout(this.timer);
    if (i < 0 || aloud) this.find("card").hidden = true; // until it is told about the new one
    if (i >= 0) this.timer = setTimeout(() => this.card(scene, i, aloud), aloud ? 180 : 90);
  }

  async card(scene, i, aloud) {
    const id = scene.layout.ids[i];
    const { addresses } = scene;
    const caption = await this.caption(addresses.about.replace("{id}", id));
    if (this.pointed !== i || scene.layout.ids[i] !== id) return;
    const card = this.find("card");
    const image = make("img", "");
    image.alt = "";
    image.style.aspectRatio = `${scene.layout.wide[i]} / ${scene.layout.high[i]}`; // its place, before it is here
    image.src = addresses.thumb.replace("{id}", id);
    card.querySelector("img").replaceWith(image);
    card.querySelector(".title").textContent = caption.title;
    card.querySelector(".caption").textContent = caption.caption;
    const stack = scene.stack(i).length;
    const piled = stack > 1 ? `${stack.toLocaleString("en")} pictures at this very place` : "";
    card.querySelector(".stack").textContent = piled && `${piled}: a click selects them all`;
    card.hidden = false;
    this.place(scene, i);
    if (aloud) this.announce([caption.title, caption.caption, piled].filter(Boolean).join(", "));
  }

  announce(text) {
    this.find("status").textContent = text;
  }

  // The card stands beside its picture, and within the window.
  place(scene, i) {
    const card = this.find("card");
    if (card.hidden) return;
    const { x, y, w, h } = scene.box(i);
    if (w > scene.width / 2 && h > scene.height / 2) return void (card.hidden = true); // the picture itself is seen
    const [wide, high] = [card.offsetWidth, card.offsetHeight];
    const left = x + w + 12 + wide <= scene.width ? x + w + 12 : Math.max(8, x - wide - 12);
    const top = Math.min(Math.max(8, y + h / 2 - high / 2), Math.max(8, scene.height - high - 8));
    Object.assign(card.style, { left: `${left}px`, top: `${top}px` });
  }

  async caption(address) {
    if (!this.captions.has(address)) {
      const asked = fetch(address).then((answer) => (answer.ok ? answer.json() : null));
      this.captions.set(address, asked.catch(() => null));
    }
    return (await this.captions.get(address)) ?? { title: "", caption: "" };
  }

  // ---- the mini-map ---------------------------------------------------------------------------------------------

  forgetMini() {
    this.mini = null;
  }

  // How many points lie where, as ink on paper; drawn once a layout.
  drawMini({ n, x, y, bounds }) {
    const canvas = this.find("mini").querySelector("canvas");
    const { x0, y0, x1, y1 } = bounds;
    const unit = (MINI - 12) / (Math.max(x1 - x0, y1 - y0) || 1);
    const [wide, high] = [Math.ceil((x1 - x0) * unit) + 12, Math.ceil((y1 - y0) * unit) + 12];
    Object.assign(canvas, { width: wide, height: high });
    const specks = canvas.getContext("2d");
    const counts = new Float32Array(wide * high);
    const speck = n > 2000 ? 1 : 3;
    for (let i = 0; i < n; i++) {
      const corner = Math.floor((y1 - y[i]) * unit + 6) * wide + Math.floor((x[i] - x0) * unit + 6);
      for (let dot = 0; dot < speck * speck; dot++) counts[corner + (dot % speck) + wide * Math.floor(dot / speck)] += 1;
    }
    const most = counts.reduce((high, count) => Math.max(high, count), 1);
    const ink = getComputedStyle(canvas).color.match(/\d+/g).map(Number);
    const image = specks.createImageData(wide, high);
    counts.forEach((count, at) => image.data.set([...ink.slice(0, 3), count && 70 + 185 * (count / most) ** 0.4], 4 * at));
    specks.putImageData(image, 0, 0);
    return { toMap: (px, py) => ({ x: x0 + (px - 6) / unit, y: y1 - (py - 6) / unit }), unit, x0, y1 };
  }

  // The part of the map in view, if it is a part.
  showMini(scene) {
    const mini = this.find("mini");
    mini.hidden = scene.zoom < 1.15;
    if (mini.hidden) return;
    this.mini ??= this.drawMini(scene.layout);
    const { unit, x0, y1 } = this.mini;
    const [across, up] = [scene.width / scene.view.scale, scene.height / scene.view.scale];
    const [wide, high] = [Math.max(5, across * unit), Math.max(5, up * unit)];
    const left = 6 + (scene.view.x - x0) * unit - wide / 2;
    const top = 6 + (y1 - scene.view.y) * unit - high / 2;
    Object.assign(mini.querySelector(".window").style, {
      left: `${left}px`,
      top: `${top}px`,
      width: `${wide}px`,
      height: `${high}px`,
    });
  }

  // ---- the legend -----------------------------------------------------------------------------------------------

  legend(legend) {
    const place = this.find("legend");
    const text = JSON.stringify(legend);
    if (this.shownLegend === text) return;
    this.shownLegend = text;
    place.hidden = !legend;
    if (!legend) return;
    if (this.folded === undefined) this.folded = this.find("stage").clientHeight < FOLDED;
    place.open = !this.folded;
    place.querySelector("summary").textContent = legend.title;
    const names = legend.names.map(([name, colour, count]) => {
      const entry = make("span", "entry");
      const swatch = make("span", "swatch");
      swatch.style.background = colour.slice(0, 7); // frames are opaque
      entry.append(swatch, make("span", "name", name), make("span", "count", Number(count).toLocaleString("en")));
      return entry;
    });
    place.querySelector(".entries").replaceChildren(...(legend.ticks.length ? [scale(legend)] : []), ...names);
  }
}

function scale({ scale: colours, ticks }) {
  const bar = make("span", "scale");
  const band = make("span", "band");
  band.style.background = `linear-gradient(to right, ${colours.join(", ")})`;
  const marks = ticks.map(([share, text]) => {
    const mark = make("span", "tick", text);
    mark.style.left = `${100 * share}%`;
    return mark;
  });
  bar.append(band, ...marks);
  return bar;
}

function button(name, title, act) {
  const made = make("button", `tool tool-${name}`);
  made.type = "button";
  made.title = title;
  made.setAttribute("aria-label", title);
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("viewBox", "0 0 16 16");
  icon.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  icon.append(path);
  made.append(icon);
  made.onclick = act;
  return made;
}

export function make(tag, name, text) {
  const element = document.createElement(tag);
  element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
}
