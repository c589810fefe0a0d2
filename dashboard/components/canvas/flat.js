// Draws the same pictures without WebGL, on a plain 2-D canvas: fewer of them, and more slowly.

import { FLOATS, GAP } from "./webgl.js";

export class FlatPainter {
  constructor(canvas) {
    Object.assign(this, { canvas, context: canvas.getContext("2d", { alpha: false }), name: "2d", most: 1500 });
  }

  upload(bitmap) {
    return bitmap;
  }

  release(bitmap) {
    bitmap.close();
  }

  paint(pictures, batches, { width, height, colours }) {
    const { context } = this;
    const ratio = this.canvas.width / width;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.globalAlpha = 1;
    context.fillStyle = css(colours.paper);
    context.fillRect(0, 0, width, height);
    const all = batches.flatMap(({ sheet, first, count }) =>
      Array.from({ length: count }, (_, at) => ({ sheet, at: (first + at) * FLOATS })),
    );
    all.sort((one, other) => pictures[other.at + 8] - pictures[one.at + 8]); // the farthest first
    for (const { sheet, at } of all) this.picture(sheet, pictures.subarray(at, at + FLOATS), colours);
  }

  picture(sheet, [cx, cy, w, h, u0, v0, u1, v1, , tint, frame, ring, fade], colours) {
    const { context } = this;
    const fill = (rim, style) => {
      context.fillStyle = style;
      context.fillRect(cx - w / 2 - rim, cy - h / 2 - rim, w + 2 * rim, h + 2 * rim);
    };
    context.globalAlpha = 1 - fade;
    if (ring) fill(frame + ring, css(colours.accent));
    if (ring) fill(frame + GAP, css(colours.paper));
    if (frame) fill(frame, `#${tint.toString(16).padStart(6, "0")}`);
    if (!sheet) return fill(0, css(colours.empty));
    const { width, height, texture } = sheet;
    const [x, y] = [u0 * width, v0 * height];
    context.drawImage(texture, x, y, u1 * width - x, v1 * height - y, cx - w / 2, cy - h / 2, w, h);
  }
}

export function css(colour) {
  return `rgb(${colour.map((part) => Math.round(part * 255)).join(" ")})`;
}
