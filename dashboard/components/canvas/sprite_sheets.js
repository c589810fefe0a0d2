// Pictures from the server, whole atlas pages or single thumbnails: asked for when they are in view, the most wanted
// first, held while there is room.

const AT_ONCE = 6; // what a browser asks one server at a time
const ROOM = 400e6; // bytes of pictures in memory: twenty pages

export class SpriteSheets {
  constructor(painter, arrived) {
    Object.assign(this, { painter, arrived, known: new Map(), wanted: new Map(), asking: 0, hurrying: 0, bytes: 0, used: 0, turn: 0 });
  }

  // Before a frame: nothing is wanted yet.
  begin() {
    this.turn += 1;
    this.full = this.used > ROOM; // what is in view takes all the room: nothing becomes sharper than it is
    this.used = 0;
    this.wanted.clear();
    this.urgent = false;
  }

  // The sheet at this address if it is here, else null.
  get(address) {
    const sheet = this.known.get(address);
    if (!sheet?.texture) return null;
    if (sheet.turn !== this.turn) this.used += sheet.bytes;
    sheet.turn = this.turn;
    return sheet;
  }

  // Says that somebody wants this sheet; returns 1 if it may still come, 0 if it is here or never will be. While anything
  // urgent is wanted, nothing else is asked for.
  want(address, weight, urgent) {
    const sheet = this.known.get(address);
    if (sheet) return sheet.texture || sheet.failed ? 0 : 1;
    if (this.full && !urgent) return 0;
    const request = this.wanted.get(address) ?? { weight: 0, urgent };
    request.weight += weight;
    this.wanted.set(address, request);
    this.urgent ||= urgent;
    return 1;
  }

  // After a frame: ask for what was wanted and is not here.
  end() {
    const first = [...this.wanted].filter(([, request]) => request.urgent || !(this.urgent || this.hurrying));
    first.sort(([, one], [, other]) => other.weight - one.weight);
    for (const [address, { urgent }] of first.slice(0, AT_ONCE - this.asking)) this.ask(address, urgent);
  }

  async ask(address, urgent) {
    const sheet = { texture: null, failed: false, turn: this.turn };
    this.known.set(address, sheet);
    this.asking += 1;
    this.hurrying += urgent ? 1 : 0;
    try {
      const answer = await fetch(address);
      if (!answer.ok) throw new Error(String(answer.status));
      const bitmap = await createImageBitmap(await answer.blob());
      const { width, height } = bitmap;
      Object.assign(sheet, { width, height, bytes: 5 * width * height, texture: this.painter.upload(bitmap) });
      this.bytes += sheet.bytes;
      this.sweep();
    } catch {
      sheet.failed = true;
    }
    this.asking -= 1;
    this.hurrying -= urgent ? 1 : 0;
    this.arrived();
  }

  // What has not been drawn for longest makes room.
  sweep() {
    if (this.bytes <= ROOM) return;
    const idle = [...this.known].filter(([, sheet]) => sheet.texture && sheet.turn < this.turn - 1);
    idle.sort(([, one], [, other]) => one.turn - other.turn);
    for (const [address, sheet] of idle) {
      if (this.bytes <= ROOM) return;
      this.painter.release(sheet.texture);
      this.bytes -= sheet.bytes;
      this.known.delete(address);
    }
  }

  // For a painter that has lost everything.
  clear() {
    this.known.clear();
    this.bytes = 0;
  }
}
