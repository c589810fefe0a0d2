// A part of a picture, as fractions of its sides. Dragging draws a box and takes it; the keys move and size one, which
// Enter takes, so that the network need not look at each step on the way.

const LEAST = 6; // pixels of the screen: less is a click, not a box
const STEP = 0.02;
const stages = new WeakMap(); // the stage -> {box, received, send}

export default function ({ data, parentElement, setTriggerValue }) {
  const stage = parentElement.querySelector(".stage");
  const here = stages.get(stage) ?? open(stage);
  const image = stage.querySelector("img");
  if (image.getAttribute("src") !== data.src) image.src = data.src;
  image.alt = data.alt;
  stage.setAttribute(
    "aria-label",
    `${data.alt}. Arrow keys move a box, with Shift they size it, Enter searches with it, Escape with the whole picture.`,
  );
  here.send = (box) => setTriggerValue("cropped", box);
  here.status = parentElement.querySelector(".status");
  const received = JSON.stringify([data.src, data.box]);
  if (here.received !== received) {
    here.received = received;
    here.taken = data.box;
    here.box = data.box;
  }
  draw(stage, here);
}

function open(stage) {
  const here = { box: null, taken: null, from: null };
  stages.set(stage, here);
  stage.onpointerdown = (event) => {
    if (event.button !== 0) return;
    here.from = at(stage, event);
    stage.setPointerCapture(event.pointerId);
  };
  stage.onpointermove = (event) => {
    if (!here.from) return;
    here.box = between(here.from, at(stage, event));
    draw(stage, here);
  };
  stage.onpointerup = (event) => {
    if (!here.from) return;
    const box = between(here.from, at(stage, event));
    here.from = null;
    if (large(stage, box)) take(stage, here, box);
    else if (here.taken) take(stage, here, null); // a click lets go of the box
    else reset(stage, here);
  };
  stage.onpointercancel = () => reset(stage, here);
  stage.onkeydown = (event) => press(stage, here, event);
  return here;
}

function press(stage, here, event) {
  const [x, y] = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key] ?? [];
  if (event.key === "Enter" && here.box) {
    take(stage, here, here.box);
  } else if (event.key === "Escape") {
    if (here.taken) take(stage, here, null);
    else reset(stage, here);
  } else if (x !== undefined) {
    const [x0, y0, x1, y1] = here.box ?? [0.25, 0.25, 0.75, 0.75];
    if (!here.box) here.box = [x0, y0, x1, y1];
    else if (event.shiftKey) here.box = [x0, y0, clip(x1 + x, x0 + 2 * STEP, 1), clip(y1 + y, y0 + 2 * STEP, 1)];
    else {
      const [dx, dy] = [clip(x, -x0, 1 - x1), clip(y, -y0, 1 - y1)];
      here.box = [x0 + dx, y0 + dy, x1 + dx, y1 + dy];
    }
    draw(stage, here);
  } else {
    return;
  }
  event.preventDefault();
}

function take(stage, here, box) {
  here.box = box && box.map((edge) => Math.round(edge * 10000) / 10000);
  here.taken = here.box;
  draw(stage, here);
  here.send(here.box ?? "whole");
}

function reset(stage, here) {
  here.from = null;
  here.box = here.taken;
  draw(stage, here);
}

function draw(stage, { box, taken, status }) {
  const mark = stage.querySelector(".box");
  mark.hidden = !box;
  if (box) {
    const [x0, y0, x1, y1] = box.map((edge) => edge * 100);
    Object.assign(mark.style, { left: `${x0}%`, top: `${y0}%`, width: `${x1 - x0}%`, height: `${y1 - y0}%` });
  }
  const waits = box && JSON.stringify(box) !== JSON.stringify(taken);
  if (waits) status.textContent = "Enter searches with this part.";
  else if (box) status.textContent = "Searching with this part alone. Click the picture, or press Escape, for all of it.";
  else status.textContent = "Draw a box on the picture to search with a part of it.";
}

function at(stage, event) {
  const box = stage.querySelector("img").getBoundingClientRect();
  return [clip((event.clientX - box.left) / box.width, 0, 1), clip((event.clientY - box.top) / box.height, 0, 1)];
}

function between([ax, ay], [bx, by]) {
  return [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];
}

function large(stage, [x0, y0, x1, y1]) {
  const { width, height } = stage.querySelector("img").getBoundingClientRect();
  return (x1 - x0) * width >= LEAST && (y1 - y0) * height >= LEAST;
}

function clip(value, low, high) {
  return Math.max(low, Math.min(high, value));
}
