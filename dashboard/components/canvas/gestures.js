// Hands on the map: mouse, pen and touch, wheel and keys.

import { actionOf } from "./actions.js";

const CLICK = 5; // pixels that a hand may tremble
const STEP = 90; // pixels of an arrow key
const CLOSER = 1.5;
const LONG = 500; // milliseconds after which a finger that rests asks what it rests on

// `actions`: {scene(), tool(), setTool(name), select(mask, adding), pick(i, adding), act(name, i), acts(), menu(i, x, y), hover(i, px, py),
// keyed(i), clear(), outline(points), aroundSelection()}.
export function listen(stage, actions) {
  const pointers = new Map(); // the fingers and buttons that are down: id -> {x, y}
  let drawing = null; // the box or lasso so far: [x, y] in pixels
  let start = null; // where the first pointer went down, and whether it has moved
  let resting = 0; // the timer of a finger that rests
  const place = (event) => {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left - stage.clientLeft, y: event.clientY - box.top - stage.clientTop };
  };

  stage.onpointerdown = (event) => {
    if (event.button > 0 || event.target.closest(".mini, .tools, button")) return;
    stage.setPointerCapture(event.pointerId);
    stage.focus({ preventScroll: true });
    const at = place(event);
    pointers.set(event.pointerId, at);
    actions.hover(-1);
    clearTimeout(resting);
    if (pointers.size > 1) {
      drawing = null;
      actions.outline(null);
      start = null;
      return;
    }
    start = { ...at, moved: false, tool: event.shiftKey && actions.tool() === "move" ? "box" : actions.tool() };
    if (event.pointerType === "touch" && start.tool === "move") resting = setTimeout(() => rest(at), LONG);
  };

  // A finger that rests sees what a mouse that hovers sees, and selects nothing.
  function rest(at) {
    if (!start || start.moved) return;
    start.rested = true;
    actions.hover(actions.scene().at(at.x, at.y), at.x, at.y);
  }

  stage.onpointermove = (event) => {
    const at = place(event);
    const last = pointers.get(event.pointerId);
    if (!last) {
      if (event.pointerType === "mouse" && !event.target.closest(".mini, .tools, button")) actions.hover(actions.scene().at(at.x, at.y), at.x, at.y);
      return;
    }
    const before = spread(pointers);
    pointers.set(event.pointerId, at);
    const after = spread(pointers);
    if (pointers.size > 1) {
      actions.scene().move(after.x - before.x, after.y - before.y);
      if (before.far > 0 && after.far > 0) actions.scene().zoomBy(after.far / before.far, after.x, after.y);
      return;
    }
    if (!start) return;
    start.moved ||= Math.hypot(at.x - start.x, at.y - start.y) > CLICK;
    if (!start.moved) return;
    clearTimeout(resting);
    if (start.rested) actions.hover(-1);
    start.rested = false;
    if (start.tool === "move") {
      stage.classList.add("moving");
      actions.scene().move(at.x - last.x, at.y - last.y);
    } else {
      drawing = start.tool === "box" ? corners(start, at) : [...(drawing ?? [[start.x, start.y]]), [at.x, at.y]];
      actions.outline(drawing);
    }
  };

  stage.onpointerup = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    clearTimeout(resting);
    stage.classList.remove("moving");
    const at = place(event);
    if (drawing) {
      if (drawing.length > 2) actions.select(actions.scene().within(drawing), event.shiftKey);
      actions.outline(null);
      drawing = null;
    } else if (start && !start.moved && !start.rested && pointers.size === 0) {
      actions.pick(actions.scene().at(at.x, at.y), event.shiftKey || event.ctrlKey || event.metaKey);
    }
    const [left] = pointers.values();
    start = left ? { ...left, moved: true, tool: "move" } : null; // the finger that stays after a pinch moves on
  };

  stage.onpointercancel = (event) => {
    pointers.delete(event.pointerId);
    clearTimeout(resting);
    [drawing, start] = [null, null];
    actions.outline(null);
    stage.classList.remove("moving");
  };

  stage.oncontextmenu = (event) => {
    if (event.target.closest(".mini, .tools, button")) return;
    const at = place(event);
    const i = start ? -1 : actions.scene().at(at.x, at.y);
    if (start || i >= 0) event.preventDefault(); // a finger that rests asks for our card, not for the browser's menu
    if (i >= 0) actions.menu(i, event.clientX, event.clientY);
  };

  stage.onpointerleave = (event) => {
    if (pointers.size === 0 && event.pointerType !== "touch") actions.hover(-1);
  };

  stage.ondblclick = (event) => {
    if (event.target.closest(".mini, .tools, button")) return;
    const at = place(event);
    const i = actions.scene().at(at.x, at.y);
    if (i >= 0) actions.act("open", i);
    else actions.scene().zoomBy(2, at.x, at.y, true);
  };

  stage.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const at = place(event);
      const lines = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
      const turn = Math.max(-240, Math.min(240, event.deltaY * lines));
      actions.scene().zoomBy(Math.exp(-turn * (event.ctrlKey ? 0.01 : 0.002)), at.x, at.y);
      actions.hover(-1);
    },
    { passive: false },
  );

  stage.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== stage) return;
    const scene = actions.scene();
    const middle = () => scene.nearest(scene.width / 2, scene.height / 2);
    const atMiddle = () => {
      const box = stage.getBoundingClientRect();
      actions.menu(middle(), box.left + box.width / 2, box.top + box.height / 2);
    };
    const keys = {
      ArrowLeft: () => scene.move(STEP, 0),
      ArrowRight: () => scene.move(-STEP, 0),
      ArrowUp: () => scene.move(0, STEP),
      ArrowDown: () => scene.move(0, -STEP),
      "+": () => scene.zoomBy(CLOSER, undefined, undefined, true),
      "=": () => scene.zoomBy(CLOSER, undefined, undefined, true),
      "-": () => scene.zoomBy(1 / CLOSER, undefined, undefined, true),
      0: () => scene.goTo(scene.whole()),
      z: () => actions.aroundSelection(),
      b: () => actions.setTool("box"),
      l: () => actions.setTool("lasso"),
      m: () => actions.setTool("move"),
      " ": () => actions.pick(middle(), true),
      Enter: () => actions.act("open", middle()),
      ContextMenu: () => atMiddle(),
      ".": () => atMiddle(),
      Escape: () => {
        if (drawing || actions.tool() !== "move") {
          [drawing, start] = [null, null];
          actions.outline(null);
          actions.setTool("move");
        } else actions.clear();
      },
    };
    const action = keys[event.key] ? null : actionOf(event.key, actions.acts());
    const act = event.key === "F10" && event.shiftKey ? atMiddle : (keys[event.key] ?? (action && (() => actions.act(action.key, middle()))));
    if (!act) return;
    event.preventDefault();
    event.stopPropagation(); // Streamlit has shortcuts of its own
    act();
    if (!"blm".includes(event.key)) actions.keyed(event.key);
  };
}

function corners(one, other) {
  return [[one.x, one.y], [other.x, one.y], [other.x, other.y], [one.x, other.y]];
}

// The middle of all pointers and how far the first two are apart.
function spread(pointers) {
  const all = [...pointers.values()];
  const [x, y] = ["x", "y"].map((axis) => all.reduce((sum, at) => sum + at[axis], 0) / all.length);
  return { x, y, far: all.length > 1 ? Math.hypot(all[0].x - all[1].x, all[0].y - all[1].y) : 0 };
}
