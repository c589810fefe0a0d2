// What is selected, as it goes to Python and comes back: a rerun may bring what was selected here some clicks ago.

import { encodeRanges, decodeRanges } from "./ranges.js";

// What was selected on a map that was left before Python had received it: Streamlit drops a page's values when another
// page is opened before the rerun. `known` are the selections that Python may have instead.
let unreceived = null;

// A selection as one text.
const selectionKey = ({ points, ranges }) => `${points} ${ranges}`;

export class Selecting {
  constructor() {
    // `sent` has had no answer yet, nor have the `echoes`, the oldest first; `received` came last.
    Object.assign(this, { sent: null, received: null, echoes: [] });
  }

  // To Python: what is selected of the points of this address.
  send(points, mask) {
    this.sent = { points, ranges: encodeRanges(mask), at: Date.now() };
    this.echoes.push(selectionKey(this.sent));
    return this.sent;
  }

  // From Python: the mask of n points, null where what is on the map (if anything is, `shown`) stays.
  receive(data, n, shown) {
    const selection = selectionKey({ points: data.points, ranges: data.marked });
    const changed = selection !== this.received;
    const place = this.echoes.indexOf(selection);
    this.received = selection;
    if (this.sent && selection === selectionKey(this.sent)) this.sent = null;
    if (place >= 0) this.echoes.splice(0, place + 1); // reruns that another overtook bring no echo any more
    else if (changed) this.echoes = this.sent ? [selectionKey(this.sent)] : []; // Python's own: older ones are past
    return shown && (place >= 0 || !changed) ? null : decodeRanges(data.marked, n);
  }

  // For the next map, when this one is left.
  leave() {
    if (this.sent) unreceived = { ...this.sent, known: new Set([this.received, ...this.echoes]) };
  }

  // What was selected when the page was left, as a mask of n points, if nothing else has been since; else null.
  left(points, n) {
    const before = unreceived;
    unreceived = null;
    return before?.points === points && before.known.has(this.received) ? decodeRanges(before.ranges, n) : null;
  }
}
