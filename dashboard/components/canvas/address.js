// What part of the map is in view, in the page's address.

const ADDRESS = "map_view"; // of the first of two maps, or of the only one
const SECOND = "map_view2";

export class ViewAddress {
  // Of a scene in the element `root`; `data()` is what Python sent last.
  constructor(root, scene, data) {
    Object.assign(this, { root, scene, data, saving: 0, reported: null });
    // Streamlit writes the address when a rerun ends, however long after the map was drawn, and without the view.
    this.keeping = setInterval(() => this.write(), 400);
  }

  get key() {
    return this.data().pairing?.second ? SECOND : ADDRESS;
  }

  // A second map that is taken away takes its view along, which it may have written after Python had taken it out.
  close() {
    clearTimeout(this.saving);
    clearInterval(this.keeping);
    const here = new URL(location.href);
    if (this.key !== SECOND || !here.searchParams.has(SECOND)) return;
    here.searchParams.delete(SECOND);
    history.replaceState(history.state, "", here.href.replaceAll("%2C", ","));
  }

  // The view that the address names, or else the data, if they do.
  linked(layout) {
    const text = new URLSearchParams(location.search).get(this.key) ?? this.data().begin ?? "";
    const numbers = text.split(",").map(Number);
    if (numbers.length !== 3 || !numbers.every(Number.isFinite) || numbers[2] <= 0) return undefined;
    const scene = { layout, size: this.data().size, __proto__: this.scene };
    return scene.held({ x: numbers[0], y: numbers[1], scale: numbers[2] * scene.whole().scale });
  }

  // Written by us and not by Python, so that moving the map costs no rerun; written again after each rerun, because
  // Streamlit puts back an address that it knows.
  save() {
    clearTimeout(this.saving);
    this.saving = setTimeout(() => this.write(), 250);
  }

  write() {
    const { scene, root } = this;
    if (!scene.layout || !root.isConnected || scene.glide || scene.flight) return;
    const here = new URL(location.href);
    const near = scene.zoom > 1000 ? 10 : 6; // digits: a place within a picture takes more
    const digits = (value, at) => Number(value.toPrecision(at < 2 ? near : 6));
    const text = scene.isWhole() ? "" : [scene.view.x, scene.view.y, scene.zoom].map(digits).join(",");
    if (text) here.searchParams.set(this.key, text);
    else here.searchParams.delete(this.key);
    const address = here.href.replaceAll("%2C", ",");
    if (address !== location.href) history.replaceState(history.state, "", address);
    this.report(text);
  }

  // Tells the server what is in view, '' for the whole map: a page that is published shall begin there.
  report(text) {
    const { view } = this.data();
    if (!view || this.reported === text) return;
    this.reported = text;
    fetch(`${view}&at=${encodeURIComponent(text)}`).catch(() => (this.reported = null));
  }
}
