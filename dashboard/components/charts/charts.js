// Small charts that filter: bars of values that can be pressed, histograms that can be brushed. Pale is what there is in
// all, full colour what all other filters leave.

const number = (value) => value.toLocaleString("en");

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".charts");
  const opened = (root.opened ||= new Set()); // charts that show more of their values
  const focus = spot(root);
  root.classList.toggle("wide", data.wide);
  const act = (chart, what) => setTriggerValue("done", { column: chart.name, ...what });
  root.replaceChildren(...data.charts.map((chart) => drawn(chart, opened, act, data.wide)));
  returnTo(root, focus);
}

function drawn(chart, opened, act, wide) {
  const box = make("section", "chart");
  box.dataset.name = chart.name;
  const head = make("div", "head");
  head.append(make("h3", "", chart.title));
  const chosen = chart.brush || chart.missing[2] || chart.values?.some(([, , , on]) => on);
  if (chosen) {
    const clear = press("clear", "Clear", `Clear the filter on ${chart.title}`);
    clear.onclick = () => act(chart, { act: "clear" });
    head.append(clear);
  }
  box.append(head, chart.kind === "values" ? bars(chart, opened, act) : histogram(chart, act, wide));
  const [total, left, on] = chart.missing;
  if (total) {
    const row = make("div", "rows");
    row.append(bar([chart.none, total, left, on], null, longest(chart), () => act(chart, { act: "missing" })));
    row.firstChild.dataset.spot = `${chart.name}|missing`;
    row.classList.add("none");
    box.append(row);
  }
  return box;
}

const longest = (chart) => Math.max(1, chart.missing[0] * (chart.kind !== "values"), ...(chart.values ?? []).map(([, total]) => total));

// ---- values ----------------------------------------------------------------------------------------------------------

function bars(chart, opened, act) {
  const rows = make("div", "rows");
  rows.setAttribute("role", "group");
  rows.setAttribute("aria-label", chart.title);
  const most = longest(chart);
  const shown = (place, on) => on || place < chart.shown || opened.has(chart.name);
  chart.values.forEach((value, place) => {
    if (!shown(place, value[3])) return;
    const row = bar(value, value[0], most, () => act(chart, { act: "toggle", value: value[0] }));
    row.dataset.spot = `${chart.name}|${value[0]}`;
    rows.append(row);
  });
  const hidden = chart.values.filter((value, place) => !(value[3] || place < chart.shown)).length;
  if (hidden) {
    const open = opened.has(chart.name);
    const more = press("more", open ? "fewer" : `${number(hidden)} more…`, `Show ${open ? "fewer" : "more"} values of ${chart.title}`);
    more.dataset.spot = `${chart.name}|more…`;
    more.onclick = () => {
      if (open) opened.delete(chart.name);
      else opened.add(chart.name);
      const again = bars(chart, opened, act);
      rows.replaceWith(again);
      again.querySelector(".more")?.focus();
    };
    rows.append(more);
  }
  if (chart.more && (opened.has(chart.name) || !hidden)) rows.append(make("p", "rest", `${number(chart.more)} rarer values: find them by Filter`));
  rows.onkeydown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const buttons = [...rows.querySelectorAll("button")];
    const next = step && buttons[buttons.indexOf(event.target) + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
  };
  return rows;
}

function bar([text, total, left, on], value, most, act) {
  const row = press(`bar${on ? " on" : ""}${left ? "" : " empty"}`, "", `${text}: ${number(left)} of ${number(total)} pictures`);
  row.setAttribute("aria-pressed", String(Boolean(on)));
  const back = make("span", "track");
  back.append(part("total", total / most), part("left", left / most));
  const count = make("span", "count", left === total ? number(total) : `${number(left)} / ${number(total)}`);
  row.append(make("span", "text", text), count, back);
  row.onclick = act;
  return row;
}

function part(name, share) {
  const element = make("span", name);
  element.style.width = `${100 * share}%`;
  return element;
}

// ---- a histogram -----------------------------------------------------------------------------------------------------

function histogram(chart, act, wide) {
  const box = make("div", "histogram");
  const bins = make("div", "bins");
  bins.setAttribute("role", "group");
  bins.setAttribute("aria-label", `${chart.title}: draw over the bars, or Shift and arrow keys, then Enter`);
  const most = Math.max(1, ...chart.total);
  const [first, last] = chart.brush ?? [-1, -1];
  const columns = chart.total.map((total, i) => {
    const words = `${chart.labels[i]}: ${number(chart.left[i])} of ${number(total)} pictures`;
    const column = press(`bin${i >= first && i <= last ? " on" : ""}`, "", words);
    column.tabIndex = i === Math.max(first, 0) ? 0 : -1;
    column.setAttribute("aria-pressed", String(i >= first && i <= last));
    column.dataset.spot = `${chart.name}|${i}`;
    // At least two pixels: one picture of a thousand is to be seen too.
    column.append(high("total", total / most), high("left", chart.left[i] / most));
    return column;
  });
  bins.classList.toggle("brushed", Boolean(chart.brush));
  bins.append(...columns);
  brushing(bins, columns, chart, act);
  const ends = make("div", "ends");
  const said = make("span", "said", chart.brush ? between(chart, first, last) : "");
  ends.append(make("span", "", chart.ends[0]), said, make("span", "", chart.ends[1]));
  box.append(bins, ends);
  box.say = (text) => (said.textContent = text);
  return box;
}

function high(name, share) {
  const element = make("span", name);
  element.style.height = share ? `max(2px, ${100 * share}%)` : "0";
  return element;
}

function between({ labels, starts, stops }, first, last) {
  return first === last ? labels[first] : `${starts[first]} to ${stops[last]}`;
}

// Draw over the bars; a press on the only one that is chosen takes the filter off. With keys: arrows move, with Shift
// they stretch, Enter or space takes it.
function brushing(bins, columns, chart, act) {
  let from = null;
  let anchor = null;
  const at = (x) => {
    const box = bins.getBoundingClientRect();
    return Math.min(columns.length - 1, Math.max(0, Math.floor(((x - box.left) / box.width) * columns.length)));
  };
  const mark = (one, other) => {
    const [low, high] = [Math.min(one, other), Math.max(one, other)];
    columns.forEach((column, i) => column.classList.toggle("on", i >= low && i <= high));
    bins.classList.add("brushed");
    bins.parentElement.say(between(chart, low, high));
  };
  const take = (one, other) => {
    const [low, high] = [Math.min(one, other), Math.max(one, other)];
    const same = chart.brush && chart.brush[0] === low && chart.brush[1] === high;
    act(chart, same ? { act: "clear" } : { act: "brush", first: low, last: high });
  };
  bins.onpointerdown = (event) => {
    if (event.button) return;
    from = at(event.clientX);
    bins.setPointerCapture(event.pointerId);
    mark(from, from);
  };
  bins.onpointermove = (event) => {
    const place = at(event.clientX);
    if (from !== null) mark(from, place);
    else bins.parentElement.say(`${columns[place].title}`);
  };
  bins.onpointerup = (event) => {
    if (from === null) return;
    const start = from;
    from = null;
    columns[at(event.clientX)].focus({ preventScroll: true });
    take(start, at(event.clientX));
  };
  bins.onpointercancel = () => (from = null);
  bins.onpointerleave = () => from === null && bins.parentElement.say(chart.brush ? between(chart, ...chart.brush) : "");
  bins.onkeydown = (event) => {
    const here = columns.indexOf(event.target);
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -here, End: columns.length - 1 - here }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      event.stopPropagation();
      const next = Math.min(columns.length - 1, Math.max(0, here + step));
      anchor = event.shiftKey ? (anchor ?? here) : null;
      columns.forEach((column, i) => (column.tabIndex = i === next ? 0 : -1));
      columns[next].focus();
      if (anchor !== null) mark(anchor, next);
      else bins.parentElement.say(columns[next].title);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      take(anchor ?? here, here);
    } else if (event.key === "Escape" && chart.brush) act(chart, { act: "clear" });
  };
}

// ---- elements --------------------------------------------------------------------------------------------------------

function make(tag, name, text = "") {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  return element;
}

function press(name, text, words) {
  const element = make("button", name, text);
  element.type = "button";
  element.title = words;
  element.setAttribute("aria-label", words);
  return element;
}

// Where the focus is, and how to bring it back: every answer draws all anew.
function spot(root) {
  return root.contains(root.getRootNode().activeElement) ? root.getRootNode().activeElement.dataset.spot : null;
}

function returnTo(root, wanted) {
  if (!wanted) return;
  [...root.querySelectorAll("[data-spot]")].find((element) => element.dataset.spot === wanted)?.focus({ preventScroll: true });
}
