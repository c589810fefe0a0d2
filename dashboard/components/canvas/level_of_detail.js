// Which pictures stand for which part of the plane.
//
// The plane is halved again and again in both directions. At each depth one picture stands for each square that holds
// any: the first of the most emphasised, points being in the order of their importance. So whoever stands for a square
// stands for the smaller square around itself as well: coming nearer adds pictures and takes none away, and moving
// sideways changes nothing.

export const DEPTHS = 16;

export class LevelOfDetail {
  constructor(layout) {
    const { n, x, y, bounds } = layout;
    this.layout = layout;
    this.extent = Math.max(bounds.x1 - bounds.x0, bounds.y1 - bounds.y0) || 1;
    const toCell = (2 ** DEPTHS - 1) / this.extent;
    const curve = new Float64Array(n); // the place on a Z-curve, 32 bits, and the number of the point, 21 bits
    for (let i = 0; i < n; i++) {
      const [column, row] = [(x[i] - bounds.x0) * toCell, (y[i] - bounds.y0) * toCell];
      curve[i] = ((spaced(column) | (spaced(row) << 1)) >>> 0) * 2 ** 21 + i;
    }
    curve.sort();
    this.order = new Uint32Array(n);
    this.curve = new Uint32Array(n);
    for (let at = 0; at < n; at++) {
      this.curve[at] = Math.floor(curve[at] / 2 ** 21);
      this.order[at] = curve[at] - this.curve[at] * 2 ** 21;
    }
    this.cells = Math.min(128, Math.max(1, Math.floor(Math.sqrt(n))));
  }

  // `emphasis` (n): 2 before 1 before 0. To be called before all that follows.
  emphasise(emphasis) {
    this.depth = this.depths(emphasis);
    this.sort();
  }

  // The depth at which each point first stands for a square. On the curve the points of a square are neighbours; so a
  // point comes into its own where it parts from the nearest more important point before it and behind it.
  depths(emphasis) {
    const { order, curve } = this;
    const n = order.length;
    const depth = new Uint8Array(n);
    const stack = new Uint32Array(n);
    let height = 0;
    const later = (a, b) => {
      const [i, j] = [order[a], order[b]];
      return emphasis[i] === emphasis[j] ? i > j : emphasis[i] < emphasis[j];
    };
    const part = (a, b) => {
      const apart = curve[a] === curve[b] ? DEPTHS + 1 : (Math.clz32(curve[a] ^ curve[b]) >> 1) + 1;
      if (apart > depth[order[a]]) depth[order[a]] = apart;
    };
    for (let at = 0; at < n; at++) {
      while (height && later(stack[height - 1], at)) part(stack[--height], at);
      if (height) part(at, stack[height - 1]);
      stack[height++] = at;
    }
    return depth;
  }

  // The points by the cells of a plain grid, in each cell by depth.
  sort() {
    const { layout, cells, depth, extent } = this;
    const { n, x, y, bounds } = layout;
    const steps = DEPTHS + 2;
    const key = new Uint32Array(n);
    const starts = new Uint32Array(cells * cells * steps + 1);
    for (let i = 0; i < n; i++) {
      const column = Math.min(cells - 1, Math.floor(((x[i] - bounds.x0) / extent) * cells));
      const row = Math.min(cells - 1, Math.floor(((y[i] - bounds.y0) / extent) * cells));
      key[i] = (row * cells + column) * steps + depth[i];
      starts[key[i] + 1] += 1;
    }
    for (let at = 1; at < starts.length; at++) starts[at] += starts[at - 1];
    const next = starts.slice();
    this.points = new Uint32Array(n);
    for (let i = 0; i < n; i++) this.points[next[key[i]]++] = i;
    this.starts = starts;
  }

  // How deep to look so that squares have at least half and less than the whole of `pixels`; all points beyond that.
  depthFor(scale, pixels) {
    return Math.max(0, Math.ceil(Math.log2((this.extent * scale) / pixels)));
  }

  // The points in a box of the plane that stand for a square of this depth, into `found`; returns how many.
  visible(box, depth, found) {
    const { layout, cells, extent, starts, points } = this;
    const { x, y, bounds } = layout;
    const cell = (value, low) => Math.min(cells - 1, Math.max(0, Math.floor(((value - low) / extent) * cells)));
    const [first, last] = [cell(box.x0, bounds.x0), cell(box.x1, bounds.x0)];
    const deepest = Math.min(depth, DEPTHS + 1);
    let count = 0;
    for (let row = cell(box.y0, bounds.y0); row <= cell(box.y1, bounds.y0); row++) {
      for (let column = first; column <= last; column++) {
        const begin = (row * cells + column) * (DEPTHS + 2);
        for (let at = starts[begin]; at < starts[begin + deepest + 1]; at++) {
          const i = points[at];
          if (x[i] >= box.x0 && x[i] <= box.x1 && y[i] >= box.y0 && y[i] <= box.y1) found[count++] = i;
        }
      }
    }
    return count;
  }
}

function spaced(value) {
  let bits = value & 0xffff;
  bits = (bits | (bits << 8)) & 0x00ff00ff;
  bits = (bits | (bits << 4)) & 0x0f0f0f0f;
  bits = (bits | (bits << 2)) & 0x33333333;
  return (bits | (bits << 1)) & 0x55555555;
}
