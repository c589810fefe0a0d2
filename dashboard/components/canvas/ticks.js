// Round values on an axis, as many as there is room for.

const APART = 68; // pixels from one to the next, at least
const DAY = 86400000;

// The marks {x, text} of an axis {kind, low, high, x0, x1} that a window of this width shows; x in pixels. Where all have
// one value, that is the only one.
export function ticks(axis, view, width) {
  const { kind, low, high, x0, x1 } = axis;
  const place = (value) => width / 2 + (x0 + (high > low ? ((value - low) / (high - low)) * (x1 - x0) : 0) - view.x) * view.scale;
  if (!(high > low)) return [{ x: place(low), text: named(kind, low, 0) }];
  const unit = (high - low) / (x1 - x0) / view.scale; // of the values, to a pixel
  const first = Math.max(low, low + (view.x - width / 2 / view.scale - x0) * unit * view.scale);
  const last = Math.min(high, low + (view.x + width / 2 / view.scale - x0) * unit * view.scale);
  const values = kind === "date" ? dates(first, last, APART * unit) : numbers(first, last, APART * unit);
  return values.map(({ value, text }) => ({ x: place(value), text }));
}

function numbers(first, last, apart) {
  const power = 10 ** Math.floor(Math.log10(apart));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= apart * 0.999);
  const digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  const found = [];
  for (let n = Math.ceil(first / step - 1e-9); n * step <= last + 1e-9 * step; n++) found.push({ value: n * step, text: named("number", n * step, digits) });
  return found;
}

// Days since 1970-01-01, at the beginnings of years, months, or on some days of each month.
function dates(first, last, apart) {
  const [from, to] = [first, last].map((value) => new Date((value + 0.5) * DAY).getUTCFullYear()); // 0.5: last may be a hair short of a day
  const within = ({ value }) => value >= first - 0.5 && value <= last + 0.5;
  if (apart > 180) {
    const years = numbers(from, to, Math.max(1, apart / 365.25));
    return years.map(({ value }) => ({ value: dayOf(value, 0, 1), text: String(value) })).filter(within);
  }
  const months = [1, 2, 3, 6].find((many) => many * 30 >= apart);
  const every = apart > 15 ? 31 : [1, 2, 5, 10, 15].find((many) => many >= apart); // days
  const found = [];
  for (let month = 12 * from; month < 12 * (to + 1); month += months) {
    for (let date = 1; date <= 31 - every / 2; date += every) {
      const value = dayOf(Math.floor(month / 12), month % 12, date);
      found.push({ value, text: new Date(value * DAY).toISOString().slice(0, every < 31 ? 10 : 7) });
    }
  }
  return found.filter(within);
}

function dayOf(year, month, date) {
  const at = new Date(0);
  at.setUTCFullYear(year, month, date); // Date.UTC takes the year 12 for 1912
  return Math.round(at.getTime() / DAY);
}

// Years and other numbers below ten thousand are written as they are, larger ones in groups of three digits.
function named(kind, value, digits) {
  if (kind === "date") return new Date(value * DAY).toISOString().slice(0, 10);
  const plain = value.toFixed(digits);
  return Math.abs(value) < 10000 ? plain : Number(plain).toLocaleString("en", { minimumFractionDigits: digits });
}
