// The map on the whole screen. Where it fills a page, the page comes along, with its bar and panel: the attribute below
// says so to its style sheet, also in a browser that refuses the whole screen, which then gives the whole window.

const ATTRIBUTE = "data-map-full"; // of the document's element

export class FullScreen {
  // `changed()` is called when it has begun or ended.
  constructor(root, changed) {
    Object.assign(this, { root, changed, filling: false, left: false, on: false });
    this.watch = () => {
      const there = Boolean(document.fullscreenElement);
      if (there && !this.on) document.exitFullscreen().catch(() => {}); // it came after it was called off
      if (this.there && !there && !this.leaving) this.mark(false); // the browser's own Escape
      if (!there) this.leaving = false;
      this.there = there;
    };
    this.press = (event) => this.key(event);
    document.addEventListener("fullscreenchange", this.watch);
    document.addEventListener("keydown", this.press, true);
  }

  toggle() {
    if (this.on) return this.leave();
    this.mark(true);
    (this.filling ? document.documentElement : this.root).requestFullscreen?.().catch(() => {});
  }

  leave() {
    this.mark(false);
    this.leaving = Boolean(document.fullscreenElement);
    if (this.leaving) document.exitFullscreen().catch(() => {});
  }

  mark(on) {
    this.on = on;
    if (this.filling) document.documentElement.toggleAttribute(ATTRIBUTE, on);
    this.changed();
  }

  // f anywhere on a page that the map fills, but for where somebody types; Escape ends it. `left` to the other of two maps.
  key(event) {
    if (this.left || !this.root.isConnected || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && this.on && !elsewhere()) this.leave();
    else if (event.key === "f" && (this.filling || this.within(event)) && !typing(event)) this.toggle();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  within(event) {
    return event.composedPath().includes(this.root);
  }

  close() {
    document.removeEventListener("fullscreenchange", this.watch);
    document.removeEventListener("keydown", this.press, true);
    if (this.on) this.leave();
  }
}

function typing(event) {
  const target = event.composedPath()[0];
  return target.isContentEditable || target.closest?.("input, textarea, select, [role=dialog], [role=listbox]");
}

// Whether something open takes Escape for itself.
function elsewhere() {
  return document.querySelector("[role=dialog], [role=listbox]");
}
