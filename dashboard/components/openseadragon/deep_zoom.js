// A picture in OpenSeadragon: its thumbnail below, its tiles above, and what lies on it. Coordinates are shares of the
// picture's sides; OpenSeadragon counts both axes in widths of the picture.

let library = null; // the promise of OpenSeadragon, which is loaded once

export function loadOpenSeadragon(address) {
  library ??= new Promise((done, fail) => {
    if (window.OpenSeadragon) return done(window.OpenSeadragon);
    const script = document.createElement("script");
    script.src = address;
    script.onload = () => done(window.OpenSeadragon);
    script.onerror = () => {
      library = null;
      fail(new Error("The viewer could not be loaded: reload the page."));
    };
    document.head.append(script);
  });
  return library;
}

export class DeepZoom {
  constructor(osd, element, moved, failed) {
    Object.assign(this, { osd, failed, picture: null, layers: new Map() });
    this.viewer = osd({
      element,
      drawer: "canvas",
      showNavigationControl: false,
      keyboardNavEnabled: false,
      animationTime: 0.5,
      blendTime: 0,
      maxZoomPixelRatio: 16,
      minZoomImageRatio: 0.7,
      visibilityRatio: 0.4,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
    });
    this.viewer.innerTracker.keyDownHandler = this.viewer.innerTracker.keyHandler = null; // the keys are ours
    for (const event of ["animation", "animation-finish", "resize", "open"]) this.viewer.addHandler(event, moved);
    this.viewer.addHandler("tile-load-failed", ({ tile }) => this.miss(tile));
  }

  close() {
    this.viewer.destroy();
  }

  // Another picture: { width, height, thumb, tiles, version }, tiles an info.json or the address of one.
  open(picture, view) {
    this.picture = picture;
    this.missed = false;
    this.layers.clear();
    this.viewer.clearOverlays();
    this.viewer.world.removeAll();
    this.viewer.addSimpleImage({
      url: picture.thumb,
      fitBounds: this.rect([0, 0, 1, 1]),
      success: () => this.begin(view),
      error: () => this.begin(view),
    });
    if (!picture.tiles) return;
    const how = { fitBounds: this.rect([0, 0, 1, 1]), success: () => this.begin(view), error: () => this.miss(null) };
    this.viewer.addTiledImage({ ...how, tileSource: this.source(picture) });
  }

  // Streamlit's addresses are not to be guessed by the browser: ours carry the version of the file.
  source({ tiles, version }) {
    if (typeof tiles === "string") return tiles;
    const { IIIFTileSource } = this.osd;
    const info = { ...tiles, id: new URL(tiles.id, location.href).href };
    const source = new IIIFTileSource(IIIFTileSource.prototype.configure(info, info.id, null));
    const address = source.getTileUrl.bind(source);
    source.getTileUrl = (...place) => `${address(...place)}?v=${version}`;
    return source;
  }

  begin(view) {
    if (this.begun === this.picture) return;
    this.begun = this.picture;
    this.see(view);
  }

  // Shows a part, with a movement.
  show(part) {
    this.viewer.viewport.fitBounds(this.rect(part));
  }

  // Shows a part, null the whole, at once.
  see(view) {
    if (view) this.viewer.viewport.fitBounds(this.rect(view), true);
    else this.home(true);
  }

  async miss(tile) {
    if (this.missed) return;
    this.missed = true;
    const address = tile?.getUrl?.();
    let sentence = "The image service did not answer.";
    if (address) sentence = await fetch(address).then((answer) => (answer.ok ? "" : answer.text()), () => sentence);
    if (sentence) this.failed(sentence);
  }

  // ---- what is in view -----------------------------------------------------------------------------------------------

  rect([x0, y0, x1, y1]) {
    const tall = this.picture.height / this.picture.width;
    return new this.osd.Rect(x0, y0 * tall, x1 - x0, (y1 - y0) * tall);
  }

  home(atOnce = false) {
    this.viewer.viewport.fitBounds(this.rect([0, 0, 1, 1]), atOnce);
  }

  // Brings a part into view, with some of what is around it.
  goTo([x0, y0, x1, y1]) {
    const [x, y] = [(x1 - x0) / 4, (y1 - y0) / 4];
    this.viewer.viewport.fitBounds(this.rect([x0 - x, y0 - y, x1 + x, y1 + y]));
  }

  zoomBy(factor) {
    this.viewer.viewport.zoomBy(factor);
    this.viewer.viewport.applyConstraints();
  }

  // Moves what is in view by shares of the stage.
  panBy(across, down) {
    const { viewport } = this.viewer;
    const { width, height } = viewport.getBounds(true);
    viewport.panBy(new this.osd.Point(across * width, down * height));
    viewport.applyConstraints();
  }

  // One pixel of the picture on one of the screen: on it, not between two, which would blur both.
  native() {
    const { viewport } = this.viewer;
    viewport.zoomTo(this.zoomOf(1));
    viewport.applyConstraints();
    const half = viewport.getContainerSize().times(devicePixelRatio / 2);
    const middle = viewport.getCenter();
    const whole = (at, side) => (Math.round(at * this.picture.width - side) + side) / this.picture.width;
    viewport.panTo(new this.osd.Point(whole(middle.x, half.x), whole(middle.y, half.y)));
  }

  // What OpenSeadragon calls the zoom at so many pixels of the screen for one of the picture.
  zoomOf(scale) {
    return (scale * this.picture.width) / this.viewer.viewport.getContainerSize().x / devicePixelRatio;
  }

  // Shows a place in the middle of the stage, at so many pixels of the screen for one of the picture, at once.
  seeAt([x, y], scale) {
    const { viewport } = this.viewer;
    viewport.zoomTo(this.zoomOf(scale), null, true);
    viewport.panTo(this.point(x, y), true);
  }

  // The place in the middle of the stage.
  middle() {
    const { x, y } = this.viewer.viewport.getCenter(true);
    return [x, (y * this.picture.width) / this.picture.height];
  }

  // A place, as OpenSeadragon counts.
  point(x, y) {
    return new this.osd.Point(x, (y * this.picture.height) / this.picture.width);
  }

  // Pixels of the screen for one of the picture.
  scale() {
    const { viewport } = this.viewer;
    return (viewport.getZoom(true) * viewport.getContainerSize().x * devicePixelRatio) / this.picture.width;
  }

  // The part in view as [x0, y0, x1, y1]; null where all of the picture is.
  part() {
    const { x, y, width, height } = this.viewer.viewport.getBounds(true);
    const tall = this.picture.height / this.picture.width;
    const whole = x <= 0.001 && y <= 0.001 && x + width >= 0.999 && (y + height) / tall >= 0.999;
    const clip = (value) => Math.max(0, Math.min(1, value));
    return whole ? null : [clip(x), clip(y / tall), clip(x + width), clip((y + height) / tall)];
  }

  // A place on the stage, in pixels of the page, as shares of the picture.
  toPicture(x, y) {
    const point = this.viewer.viewport.pointFromPixel(new this.osd.Point(x, y), true);
    return [point.x, (point.y * this.picture.width) / this.picture.height];
  }

  // The other way round.
  toStage(x, y) {
    const { x: left, y: top } = this.viewer.viewport.pixelFromPoint(this.point(x, y), true);
    return [left, top];
  }

  // ---- what lies on the picture --------------------------------------------------------------------------------------

  // Puts an element over a part of the picture under a name; null takes it away.
  lay(name, element, box) {
    const old = this.layers.get(name);
    if (old) this.viewer.removeOverlay(old);
    this.layers.delete(name);
    if (!element) return;
    this.layers.set(name, element);
    this.viewer.addOverlay({ element, location: this.rect(box) });
  }
}
