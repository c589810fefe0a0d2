// Deep zoom: of pictures that take much of the window, the tiles of their originals that it shows, over their thumbnails.
// Where there is no original, or a tile does not come, what lies below it stays in view. Tiles are sheets like others, and
// share their room in memory.

const SHARP = 3; // pictures at a time that get tiles
const SHARE = 0.4; // of the shorter side of the window that such a picture takes, at least
const BLUR = 1.25; // how far a tile may be enlarged
const RESTING = 120; // milliseconds for which nothing moves before tiles are asked for
const KNOWN = 200; // originals that are remembered

export class Tiles {
  constructor(sprites, changed) {
    Object.assign(this, { sprites, changed, known: new Map(), view: null, since: 0, timer: 0 });
  }

  // The tiles {i, sheet, x, y, w, h} of this frame in pixels of the window, the coarse before the fine, and whether more
  // may come.
  of(scene, side) {
    const large = scene.addresses.tiles ? this.large(scene, side) : [];
    if (!large.length) return { tiles: [], late: 0 };
    const resting = this.resting(scene.view);
    const tiles = [];
    let late = 0;
    for (const { i, box } of large) {
      const original = this.original(scene.layout.ids[i], scene.addresses.tiles, resting);
      if (original === undefined) late = 1;
      if (!original) continue;
      const thumbnail = this.sprites.get(scene.addresses.thumb.replace("{id}", scene.layout.ids[i]));
      const found = this.cover(original, box, scene, thumbnail?.width ?? 0, resting);
      tiles.push(...found.tiles.map((tile) => ({ i, ...tile })));
      late |= found.late;
    }
    return { tiles, late };
  }

  // Which pictures, with their boxes in the window: those nearest to its middle.
  large(scene, side) {
    const least = SHARE * Math.min(scene.width, scene.height);
    if (2 * side < least) return [];
    const found = [];
    for (const i of scene.drawn) {
      const box = scene.box(i, side);
      if (Math.max(box.w, box.h) < least) continue;
      if (box.x >= scene.width || box.y >= scene.height || box.x + box.w <= 0 || box.y + box.h <= 0) continue;
      const beside = (from, size, window) => Math.max(0, from - window / 2, window / 2 - from - size);
      found.push({ i, box, far: Math.hypot(beside(box.x, box.w, scene.width), beside(box.y, box.h, scene.height)) });
    }
    return found.sort((one, other) => one.far - other.far || scene.depthOf(one.i) - scene.depthOf(other.i)).slice(0, SHARP);
  }

  resting(view) {
    const now = performance.now();
    if (this.view !== view) {
      Object.assign(this, { view, since: now });
      clearTimeout(this.timer);
      this.timer = setTimeout(this.changed, RESTING + 10);
    }
    return now - this.since >= RESTING;
  }

  // What is known of an original: undefined while that is not known, null where there is none.
  original(id, address, ask) {
    const known = this.known.get(id);
    if (known !== undefined || !ask) return known?.found;
    const entry = { found: undefined };
    this.known.set(id, entry);
    if (this.known.size > KNOWN) this.known.delete(this.known.keys().next().value);
    describe(address.replace("{id}", id))
      .catch(() => null)
      .then((found) => {
        entry.found = found;
        this.changed();
      });
    return undefined;
  }

  cover(original, box, scene, thumbnail, ask) {
    const { width, height, factors } = original;
    const scale = (box.w * scene.ratio) / width; // pixels of the screen for one of the picture
    const wanted = factors.find((factor) => factor * scale <= BLUR) ?? factors.at(-1);
    const tiles = [];
    let late = 0;
    if (width / wanted <= thumbnail) return { tiles, late };
    for (const factor of factors.filter((factor) => factor >= wanted && width / factor > thumbnail)) {
      const [across, down] = [original.wide * factor, original.high * factor];
      const begin = (from, size, total, span) => Math.max(0, Math.floor((-from / size) * (total / span)));
      const end = (from, size, total, span, window) => Math.min(total / span, ((window - from) / size) * (total / span));
      for (let row = begin(box.y, box.h, height, down); row < end(box.y, box.h, height, down, scene.height); row++) {
        for (let column = begin(box.x, box.w, width, across); column < end(box.x, box.w, width, across, scene.width); column++) {
          const [x, y] = [column * across, row * down];
          const [w, h] = [Math.min(across, width - x), Math.min(down, height - y)];
          const address = addressOf(original, x, y, w, h, factor);
          const place = { x: box.x + (x / width) * box.w, y: box.y + (y / height) * box.h, w: (w / width) * box.w, h: (h / height) * box.h };
          const sheet = this.sprites.get(address);
          if (sheet) tiles.push({ sheet, ...place });
          else if (factor === wanted) late |= ask ? this.sprites.want(address, nearness(place, scene), false) : 1;
        }
      }
    }
    return { tiles, late };
  }
}

// An original as IIIF's Image API describes it, version 3 or 2: {base, version, width, height, wide, high, factors}, tiles
// of wide × high pixels and by how much they are smaller than the original, the smallest first.
async function describe(address) {
  const { info: given, version } = await read(address);
  if (!given) return null;
  const info = typeof given === "string" ? await read(given) : given;
  const [first] = info.tiles ?? [];
  if (!first) return null;
  const factors = [...first.scaleFactors].sort((one, other) => other - one);
  const { width, height } = info;
  const plain = typeof given === "string";
  return { base: info.id ?? info["@id"], third: Boolean(info.id), version: plain ? "" : version, width, height, wide: first.width, high: first.height ?? first.width, factors };
}

async function read(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

function addressOf({ base, third, version, width, height }, x, y, w, h, factor) {
  const region = w === width && h === height ? "full" : `${x},${y},${w},${h}`;
  const [across, down] = [Math.ceil(w / factor), Math.ceil(h / factor)];
  return `${base}/${region}/${third ? `${across},${down}` : `${across},`}/0/default.jpg${version && `?v=${version}`}`;
}

// Tiles in the middle of the window come first, and before what is asked for otherwise.
function nearness({ x, y, w, h }, { width, height }) {
  return 2 + 1 / (1 + Math.hypot(x + w / 2 - width / 2, y + h / 2 - height / 2));
}
