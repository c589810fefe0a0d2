// How the map fits its element: it has its size, and is shown whole where nothing lies above it; under a hand it stays as
// it is, and is fitted when the hand goes.

const HELD = 1500; // milliseconds after something is selected for which the hand counts as there
const RESTED = 2500; // milliseconds after which a hand that lies still on one of two maps counts as gone
const BESIDE = 8; // pixels between what lies above the map and the map
const TALL = 90; // pixels of a legend from which on there may be more room beside it than below

export class Fitting {
  // `paired()`: whether the map is one of two, of which a panel beside them leaves little.
  constructor(root, scene, paired) {
    Object.assign(this, { root, scene, paired, cut: null, acted: -HELD, moved: -RESTED, timer: 0 });
    this.find = (name) => root.querySelector(`.${name}`);
    this.stage = this.find("stage");
    this.watch = new ResizeObserver(() => this.fit());
    for (const name of ["stage", "tools", "title-of-map", "legend"]) this.watch.observe(this.find(name));
    this.watchRatio();
    root.addEventListener("pointermove", () => (this.moved = performance.now()));
    root.addEventListener("pointerleave", () => this.refit());
    this.elsewhere = (event) => event.composedPath().includes(root) || this.release();
    addEventListener("pointerdown", this.elsewhere, true);
  }

  close() {
    this.watch.disconnect();
    this.screen.onchange = null;
    removeEventListener("pointerdown", this.elsewhere, true);
    clearTimeout(this.timer);
  }

  // The window may come to a screen with other pixels, its size staying the same.
  watchRatio() {
    this.screen = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    this.screen.onchange = () => {
      this.fit();
      this.watchRatio();
    };
  }

  // The canvas has the size of its element. Under a hand nothing moves, whoever shows or closes a panel beside it: what
  // was shown whole becomes whole again when the hand goes. A panel that comes under the pointer takes no hand away: the
  // next click of several may be on its way.
  fit() {
    const { scene, stage } = this;
    const still = Boolean(scene.layout) && this.handStays() > 0 && devicePixelRatio === this.ratio;
    this.ratio = devicePixelRatio;
    const whole = this.cut ? scene.view === this.cut : scene.layout && scene.isWhole();
    scene.resize(stage.clientWidth, stage.clientHeight, Math.min(3, devicePixelRatio || 1), this.rooms(), still);
    this.cut = whole && !scene.isWhole() ? scene.view : null;
    if (this.cut) this.refit();
  }

  // What is free of tools, title and legend, {left, top} in pixels: below all of them, and beside a legend that is tall.
  rooms() {
    const stage = this.stage.getBoundingClientRect();
    const edges = (name) => {
      const box = this.find(name).getBoundingClientRect();
      return { high: box.height, right: box.width && box.right - stage.left, bottom: box.width && box.bottom - stage.top };
    };
    const [tools, title, legend] = ["tools", "title-of-map", "legend"].map(edges);
    const above = Math.max(tools.bottom, title.bottom);
    const below = { left: 0, top: Math.max(above, legend.bottom) };
    return legend.high < TALL ? [below] : [below, { left: legend.right + BESIDE, top: above }];
  }

  // How much longer the hand counts as there, in milliseconds.
  handStays() {
    const now = performance.now();
    const rests = this.paired() ? this.moved + RESTED - now : Infinity;
    return Math.max(this.acted + HELD - now, this.root.matches(":hover") ? rests : 0);
  }

  release() {
    this.acted = -HELD;
    this.refit();
  }

  refit() {
    clearTimeout(this.timer);
    if (!this.cut) return;
    const rest = this.handStays();
    if (rest > 0) {
      if (rest < Infinity) this.timer = setTimeout(() => this.refit(), rest); // else when it leaves
      return;
    }
    if (this.cut === this.scene.view && this.root.isConnected) this.scene.goTo(this.scene.whole());
    this.cut = null;
  }
}
