// A gallery of any number of pictures, of which only those in view, and a row around them, are elements of the page.
// Titles and captions are set as text, never as HTML: they come from somebody's spreadsheet.

import { handsOf } from "./actions.js";
import { more } from "./pieces.js";

const ACROSS = 5; // pixels between two columns
const TITLE = 76; // pixels below a thumbnail for its title and caption
const AT_ONCE = 100; // pictures that are asked about in one request
const rolls = new WeakMap(); // the element -> Wall

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".wall");
  const wall = rolls.get(root) ?? new Wall(root);
  rolls.set(root, wall);
  wall.update(data);
  wall.hands.update({
    ...data,
    selected: data.chosen ? wall.ids : data.selected,
    send: (event) => setTriggerValue("done", event),
    order: () => wall.ids,
    walk: (event) => wall.press(event),
  });
}

class Wall {
  constructor(root) {
    Object.assign(this, { root, sheet: root.querySelector(".sheet"), items: new Map(), captions: new Map() });
    Object.assign(this, { ids: [], here: 0, text: null, timer: 0, waiting: false, hands: handsOf(root) });
    root.onscroll = () => this.soon();
    root.addEventListener("focusin", (event) => {
      const item = event.target.closest(".item");
      if (item) this.here = Number(item.dataset.place);
    });
    new ResizeObserver(() => this.measure()).observe(root);
  }

  update({ ids, thumb, about, size, shown, actions }) {
    const others = ids !== this.text;
    const looks = thumb !== this.thumb;
    if (about !== this.about) this.captions.clear();
    Object.assign(this, { text: ids, thumb, about, size, shown, buttons: actions.filter((action) => action.sign) });
    if (others || looks) this.empty();
    if (others) {
      this.ids = decoded(ids);
      this.here = Math.max(0, this.ids.indexOf(shown));
      this.root.scrollTop = 0;
    }
    this.root.dataset.pictures = this.ids.length;
    this.measure();
  }

  empty() {
    for (const item of this.items.values()) item.remove();
    this.items.clear();
  }

  // How many columns there is room for, and how large a cell is: as gallery.css lays its grid out.
  measure() {
    const wide = this.sheet.clientWidth;
    if (!wide) return;
    this.root.style.setProperty("--side", `${this.size}px`);
    this.columns = Math.max(1, Math.floor((wide + ACROSS) / (Math.min(this.size, Math.max(0.3 * wide, 0.5 * this.size)) + ACROSS)));
    this.wide = (wide - ACROSS * (this.columns - 1)) / this.columns;
    this.high = 0.86 * Math.min(this.size, this.wide) + TITLE;
    this.sheet.style.height = `${Math.ceil(this.ids.length / this.columns) * this.high}px`;
    for (const [place, item] of this.items) this.put(place, item);
    this.draw();
  }

  soon() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  // Puts the pictures in view on the page and takes the others away, but never the one that has the focus.
  draw() {
    const { scrollTop, clientHeight } = this.root;
    const first = Math.max(0, Math.floor(scrollTop / this.high) - 1) * this.columns;
    const last = Math.min(this.ids.length, (Math.ceil((scrollTop + clientHeight) / this.high) + 1) * this.columns);
    const focus = this.root.getRootNode().activeElement;
    for (const [place, item] of this.items) {
      if ((place < first || place >= last) && !item.contains(focus)) {
        item.remove();
        this.items.delete(place);
      }
    }
    for (let place = first; place < last; place++) if (!this.items.has(place)) this.add(place);
    for (const [place, item] of this.items) {
      const button = item.firstChild;
      button.tabIndex = place === this.stop(first, last) ? 0 : -1;
      if (this.ids[place] === this.shown) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      this.hands.mark(item);
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), 40);
  }

  // The one picture that the Tab key reaches: where the reader left off, if that is in view.
  stop(first, last) {
    return this.items.has(this.here) ? this.here : Math.min(last - 1, first + this.columns);
  }

  add(place) {
    const id = this.ids[place];
    const item = element("div", "item");
    Object.assign(item.dataset, { place, id, image: id });
    item.setAttribute("role", "listitem");
    item.setAttribute("aria-setsize", this.ids.length);
    item.setAttribute("aria-posinset", place + 1);
    const button = element("button", "piece");
    button.type = "button";
    const [mat, image] = [element("span", "mat"), element("img", "")];
    image.decoding = "async";
    image.alt = `Picture ${id}`;
    image.src = this.thumb.replace("{id}", id);
    mat.append(image);
    button.append(mat, element("span", "title"), element("span", "caption"));
    item.append(button, ...more(this.buttons, `Picture ${id}`));
    this.items.set(place, item);
    this.put(place, item);
    this.label(item, this.captions.get(id));
    // In the order of the pictures, for whoever walks with the Tab key or a screen reader.
    const next = [...this.sheet.children].find((other) => Number(other.dataset.place) > place);
    this.sheet.insertBefore(item, next ?? null);
  }

  put(place, item) {
    const [row, column] = [Math.floor(place / this.columns), place % this.columns];
    item.style.width = `${this.wide}px`;
    item.style.height = `${this.high}px`;
    item.style.transform = `translate(${column * (this.wide + ACROSS)}px, ${row * this.high}px)`;
  }

  label(item, caption) {
    if (!caption) return;
    item.querySelector(".title").textContent = caption.title;
    item.querySelector(".caption").textContent = caption.caption;
    item.querySelector("img").alt = [caption.title, caption.caption].filter(Boolean).join(", ");
    item.firstChild.title = [caption.title, caption.caption].filter(Boolean).join("\n");
  }

  // Titles of the pictures in view that are not known yet.
  async ask() {
    const wanted = [...this.items.values()].map((item) => Number(item.dataset.id)).filter((id) => !this.captions.has(id));
    for (let at = 0; at < wanted.length; at += AT_ONCE) {
      const some = wanted.slice(at, at + AT_ONCE);
      for (const id of some) this.captions.set(id, null); // asked for
      const { about } = this;
      const answer = await fetch(about.replace("{ids}", some.join(","))).catch(() => null);
      const caption = answer?.ok ? await answer.json() : {};
      if (about !== this.about) return;
      for (const id of some) {
        if (caption[id]) this.captions.set(id, caption[id]);
        else if (!answer?.ok) this.captions.delete(id); // the database was busy: the next look asks again
      }
      for (const item of this.items.values()) this.label(item, this.captions.get(Number(item.dataset.id)));
    }
  }

  press(event) {
    const item = event.target.closest(".item");
    const page = this.columns * Math.max(1, Math.floor(this.root.clientHeight / this.high));
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns };
    Object.assign(steps, { PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity });
    if (!item || !(event.key in steps)) return;
    event.preventDefault();
    const from = Number(item.dataset.place);
    const to = Math.min(this.ids.length - 1, Math.max(0, from + steps[event.key]));
    this.here = to;
    this.show(to);
    this.items.get(to).firstChild.focus({ preventScroll: true });
    this.draw(); // lets go of the one that had the focus
  }

  // Scrolls as far as it takes to see a picture whole.
  show(place) {
    const top = Math.floor(place / this.columns) * this.high;
    const { scrollTop, clientHeight } = this.root;
    if (top < scrollTop) this.root.scrollTop = top;
    else if (top + this.high > scrollTop + clientHeight) this.root.scrollTop = top + this.high - clientHeight;
    this.draw();
  }
}

// The ids that dashboard/compute/packing.py `listed`.
function decoded(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const ids = [];
  let [value, factor, id] = [0, 1, 0];
  for (const byte of bytes) {
    value += (byte & 127) * factor; // not by bits: ids may have more than 32
    factor *= 128;
    if (byte > 127) continue;
    id += value % 2 ? -(value + 1) / 2 : value / 2;
    ids.push(id);
    [value, factor] = [0, 1];
  }
  return ids;
}

function element(tag, name) {
  const made = document.createElement(tag);
  made.className = name;
  return made;
}
