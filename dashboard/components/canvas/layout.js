// The points of a layout, as dashboard/layouts.py packs them, in the order of their importance.

const FILLED = 0.88; // of a cell, by the longer side of its picture: there is room for a frame

export async function loadLayout(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`the points did not come: ${answer.status}`);
  return unpacked(await answer.arrayBuffer());
}

export function unpacked(buffer) {
  const [n, placed] = new Int32Array(buffer, 0, 2);
  const ids = new Float64Array(buffer, 8, n);
  const [x, y, logs] = [0, 1, 2].map((part) => new Float32Array(buffer, 8 + 8 * n + 4 * part * n, n));
  const places = placed ? new Int32Array(buffer, 8 + 20 * n, n) : null;
  const rest = new Uint8Array(buffer, 8 + (placed ? 24 : 20) * n);
  const { cell = 0, blocks = [], axis = null, open = [], spans = "" } = rest.length ? JSON.parse(new TextDecoder().decode(rest)) : {};
  const bounds = withAxis(withBlocks(boundsOf(x, y), blocks), axis);
  const side = cell ? FILLED * cell : sideOf(bounds, n);
  return { n, ids, x, y, places, bounds, ...shapes(logs, cell > 0), side, cell, blocks, axis, open, spans, numbers: null };
}

// A range of years may go on where no picture lies.
function withAxis(box, axis) {
  return axis ? { ...box, x0: Math.min(box.x0, axis.x0), x1: Math.max(box.x1, axis.x1) } : box;
}

// Names stand above their blocks, so these count too.
function withBlocks(box, blocks) {
  for (const { x0, x1, y0, y1 } of blocks) {
    box.x0 = Math.min(box.x0, x0);
    box.x1 = Math.max(box.x1, x1);
    box.y0 = Math.min(box.y0, y0);
    box.y1 = Math.max(box.y1, y1);
  }
  return box;
}

// The box around the points that `mask` has, or all.
export function boundsOf(x, y, mask = null) {
  const box = { x0: Infinity, y0: Infinity, x1: -Infinity, y1: -Infinity };
  for (let i = 0; i < x.length; i++) {
    if (mask && !mask[i]) continue;
    box.x0 = Math.min(box.x0, x[i]);
    box.x1 = Math.max(box.x1, x[i]);
    box.y0 = Math.min(box.y0, y[i]);
    box.y1 = Math.max(box.y1, y[i]);
  }
  return box;
}

// The number of the point with this id, undefined if there is none.
export function numberOf(layout, id) {
  layout.numbers ??= new Map(Array.from(layout.ids, (known, i) => [known, i]));
  return layout.numbers.get(id);
}

// Width and height of each picture as parts of the side of a square as large; a very long scroll is held to three sides.
// Where pictures have cells, `celled`, they are held to one, and none covers its neighbour.
function shapes(logs, celled) {
  const [wide, high] = [new Float32Array(logs.length), new Float32Array(logs.length)];
  for (let i = 0; i < logs.length; i++) {
    const [w, h] = [2 ** (logs[i] / 2), 2 ** (-logs[i] / 2)];
    const shrink = celled ? 1 / Math.max(w, h) : Math.min(1, 3 / Math.max(w, h));
    wide[i] = w * shrink;
    high[i] = h * shrink;
  }
  return { wide, high };
}

// The side, in units of the layout, of a square picture that leaves the plane about half covered.
function sideOf({ x0, y0, x1, y1 }, n) {
  const longest = Math.max(x1 - x0, y1 - y0);
  if (!(longest > 1e-9)) return 1;
  const area = Math.max(x1 - x0, longest / 4) * Math.max(y1 - y0, longest / 4);
  return Math.min(0.8 * Math.sqrt(area / n), 0.15 * longest);
}
