// Where we look: the centre in units of the layout, whose y grows upwards, and how many CSS pixels a unit takes.

export const FARTHEST = 0.5; // of the view that shows the whole map

// The view that shows a box {x0, y0, x1, y1} whole, with a margin in pixels.
export function viewOf(box, width, height, margin) {
  const [wide, high] = [Math.max(box.x1 - box.x0, 1e-9), Math.max(box.y1 - box.y0, 1e-9)];
  const [across, up] = [Math.max(width - 2 * margin, width / 2), Math.max(height - 2 * margin, height / 2)];
  return { x: (box.x0 + box.x1) / 2, y: (box.y0 + box.y1) / 2, scale: Math.min(across / wide, up / high) };
}

// The view moved by pixels.
export function moved(view, dx, dy) {
  return { ...view, x: view.x - dx / view.scale, y: view.y + dy / view.scale };
}

// The view nearer by `factor`; what lies `right` and `down` of the centre, in pixels, stays where it is.
export function nearer(view, factor, right, down, least, most) {
  const scale = Math.min(most, Math.max(least, view.scale * factor));
  const shift = 1 / view.scale - 1 / scale;
  return { x: view.x + right * shift, y: view.y - down * shift, scale };
}

// The way from one view to another, 0 <= share <= 1. Scale changes by equal factors, and the centre so that the point
// which both views show at the same place stays there.
export function between(from, to, share) {
  const scale = from.scale * (to.scale / from.scale) ** share;
  const same = Math.abs(to.scale / from.scale - 1) < 1e-6;
  const part = same ? share : (1 / from.scale - 1 / scale) / (1 / from.scale - 1 / to.scale);
  return { x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part, scale };
}

// The box of the layout that a window of this size shows, widened by `margin` pixels.
export function boxOf(view, width, height, margin) {
  const [across, up] = [(width / 2 + margin) / view.scale, (height / 2 + margin) / view.scale];
  return { x0: view.x - across, y0: view.y - up, x1: view.x + across, y1: view.y + up };
}
