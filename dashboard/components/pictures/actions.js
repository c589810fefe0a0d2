// What a click, a key and the menu do with a picture: the same wherever pictures stand. Which actions there are, Python
// says (dashboard/selection/actions): [{key, title, keys, sign, group}].

const handsOn = new WeakMap(); // the wall's element -> Hands
const REST_MS = 550; // milliseconds that a finger rests on a picture for its menu; Android says so itself, a little sooner
const REST_PIXELS = 10; // pixels that it may move meanwhile

// A wall's hands. Each picture is an `.item` with the data `image`, its number, and a button `.piece`.
export function handsOf(root) {
  if (!handsOn.has(root)) handsOn.set(root, new Hands(root));
  return handsOn.get(root);
}

class Hands {
  constructor(root) {
    Object.assign(this, { root, client: Math.random().toString(36).slice(2), next: 1, waiting: [], selected: new Set() });
    Object.assign(this, { elsewhere: 0, anchor: null });
    root.onclick = (event) => this.click(event);
    root.ondblclick = (event) => event.target.closest(".piece") && this.act("open", event.target.closest(".item"));
    root.oncontextmenu = (event) => this.ask(event);
    root.onkeydown = (event) => this.press(event);
    root.onpointerdown = (event) => this.touch(event);
    root.onpointermove = (event) => Math.hypot(event.clientX - this.at?.[0], event.clientY - this.at?.[1]) > REST_PIXELS && clearTimeout(this.resting);
    root.onpointerup = root.onpointercancel = () => clearTimeout(this.resting);
  }

  // `actions`, the numbers `selected`, how many are selected `elsewhere`, what has been `applied` of what was sent, and
  // functions: `send(event)`, `order()` with the numbers of all pictures, `walk(event)` for the other keys, and
  // `acted(name, item, event)` where the page shows at once what was done.
  // Where all pictures are `chosen` anyway, a click alone takes none of them off.
  update({ actions, selected, elsewhere, applied, chosen, send, order, walk, acted }) {
    Object.assign(this, { actions, chosen, send, order, walk, acted });
    if (applied && applied[0] === this.client) this.waiting = this.waiting.filter(([number]) => number > applied[1]);
    if (!this.waiting.length) Object.assign(this, { selected: new Set(selected), elsewhere });
    this.paint();
  }

  paint() {
    for (const item of this.root.querySelectorAll(".item")) this.mark(item);
  }

  mark(item) {
    const chosen = this.selected.has(Number(item.dataset.image));
    item.classList.toggle("selected", chosen);
    item.querySelector(".piece").setAttribute("aria-pressed", String(chosen));
    item.querySelector("[data-act=select]")?.setAttribute("aria-pressed", String(chosen));
  }

  // A finger has neither Ctrl nor a right button: a tap adds to the selection or takes off, resting opens the menu.
  touch(event) {
    clearTimeout(this.resting);
    const item = event.target.closest(".item");
    Object.assign(this, { byTouch: event.pointerType === "touch", rested: false, at: [event.clientX, event.clientY] });
    if (this.byTouch && item) this.resting = setTimeout(() => this.rest(item, ...this.at), REST_MS);
  }

  rest(item, x, y) {
    clearTimeout(this.resting);
    this.rested = true;
    this.menu(item, x, y);
  }

  click(event) {
    if (this.rested) return void (this.rested = false); // the finger that opened the menu leaves
    const [button, item] = [event.target.closest("button"), event.target.closest(".item")];
    if (!button || !item) return;
    const image = Number(item.dataset.image);
    if (button.classList.contains("menu-button")) {
      const box = button.getBoundingClientRect();
      this.menu(item, box.left, box.bottom);
    } else if (button.dataset.act) this.act(button.dataset.act, item);
    else if (event.detail > 1) return; // the second half of a double click
    else if (event.shiftKey) this.select("add", this.between(image));
    else if (event.ctrlKey || event.metaKey || (this.byTouch && !this.chosen)) this.toggle(image);
    else if (!this.chosen) this.select("only", [image]);
    if (!event.shiftKey) this.anchor = image;
  }

  press(event) {
    const item = event.target.closest(".item");
    if (!item) return;
    const image = Number(item.dataset.image);
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "a") this.select("add", this.order());
    else if (event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) this.menuAt(item);
    else if (event.ctrlKey || event.metaKey || event.altKey) return;
    else if (event.target.closest(".more button")) return;
    else if (event.key === "Enter") this.act("open", item);
    else if (event.key === " ") this.toggle(image);
    else if (event.key === "Escape") this.select("only", []);
    else if (event.key === ".") this.menuAt(item);
    else {
      const action = actionOf(event.key, this.actions);
      if (!action) return this.walk?.(event);
      this.act(action.key, item, event);
    }
    event.preventDefault();
    event.stopPropagation(); // Streamlit has shortcuts of its own
  }

  act(name, item, event) {
    const image = Number(item.dataset.image);
    if (name === "select") this.toggle(image);
    else this.queue([name, image, Number(item.dataset.id)]);
    this.acted?.(name, item, event);
  }

  toggle(image) {
    this.select(this.selected.has(image) ? "drop" : "add", [image]);
    this.anchor = image;
  }

  select(how, images) {
    if (how === "only") Object.assign(this, { selected: new Set(), elsewhere: 0 });
    for (const image of images) how === "drop" ? this.selected.delete(image) : this.selected.add(image);
    this.paint();
    this.queue([how, images]);
  }

  // All from the picture that was chosen last to this one.
  between(image) {
    const order = this.order();
    const places = [order.indexOf(this.anchor), order.indexOf(image)].sort((one, other) => one - other);
    return places[0] < 0 ? [image] : order.slice(places[0], places[1] + 1);
  }

  // Everything that Python has not heard of yet goes along, so that of quick clicks none is lost.
  queue(what) {
    this.waiting.push([this.next++, ...what]);
    this.send({ client: this.client, done: this.waiting });
  }

  ask(event) {
    const item = event.target.closest(".item");
    if (!item) return;
    event.preventDefault();
    if (!this.byTouch) this.menu(item, event.clientX, event.clientY);
    else if (!this.rested) this.rest(item, event.clientX, event.clientY);
  }

  menuAt(item) {
    const box = item.querySelector(".mat").getBoundingClientRect();
    this.menu(item, box.left + box.width / 2, box.top + box.height / 2);
  }

  menu(item, x, y) {
    const image = Number(item.dataset.image);
    const many = this.selected.has(image) ? this.selected.size + this.elsewhere : 1;
    const title = many > 1 ? `${many.toLocaleString("en")} selected pictures` : item.querySelector(".title")?.textContent;
    const select = this.selected.has(image) ? "Take off the selection" : null;
    openMenu(this.root, renamed(this.actions, { select }), title || "Picture", x, y, (name) => this.act(name, item), () => item.querySelector(".piece").focus(), this.rested);
  }
}

// The actions, some of them by other names.
export function renamed(actions, titles) {
  return actions.map((action) => ({ ...action, title: titles[action.key] ?? action.title }));
}

export function actionOf(key, actions) {
  return actions.find((action) => action.keys.includes(key.length === 1 ? key.toLowerCase() : key));
}

// A menu at a place of the window. `act(name)` hears what was chosen, `back()` takes the focus when it is closed by key.
// A browser closes it where a finger is lifted beside it, also the one that is `resting` there since before it was open.
export function openMenu(root, actions, title, x, y, act, back, resting = false) {
  const host = root.parentNode;
  host.querySelector(".picture-menu")?.remove();
  const menu = document.createElement("div");
  menu.className = "picture-menu";
  menu.setAttribute("role", "menu");
  menu.setAttribute("aria-label", title);
  menu.popover = resting ? "manual" : "auto"; // above all else, dialogs too, and closed by a click elsewhere
  if (resting) closeByTouch(menu);
  const head = document.createElement("div");
  head.className = "menu-title";
  head.textContent = title;
  menu.append(head);
  let group = actions[0]?.group;
  for (const action of actions) {
    const entry = document.createElement("button");
    Object.assign(entry, { type: "button", className: "menu-entry", tabIndex: -1 });
    entry.dataset.act = action.key;
    entry.setAttribute("role", "menuitem");
    if (action.group !== group) entry.classList.add("apart");
    group = action.group;
    const [text, key] = [document.createElement("span"), document.createElement("kbd")];
    text.textContent = action.title;
    key.textContent = keyName(action.keys[0]);
    entry.append(text, key);
    menu.append(entry);
  }
  host.append(menu);
  menu.showPopover();
  const { width, height } = menu.getBoundingClientRect();
  menu.style.left = `${Math.max(4, Math.min(x, innerWidth - width - 4))}px`;
  menu.style.top = `${Math.max(4, Math.min(y, innerHeight - height - 4))}px`;
  const entries = [...menu.querySelectorAll(".menu-entry")];
  entries[0]?.focus();
  const choose = (entry) => {
    menu.remove();
    act(entry.dataset.act);
  };
  menu.onpointerdown = () => (resting = false); // before that, what is lifted is the finger that opened the menu
  menu.onclick = (event) => {
    const entry = event.target.closest(".menu-entry");
    if (entry && !(resting && event.detail)) choose(entry);
  };
  menu.oncontextmenu = (event) => event.preventDefault();
  menu.ontoggle = (event) => event.newState === "closed" && menu.remove();
  menu.onkeydown = (event) => {
    event.stopPropagation();
    const at = entries.indexOf(menu.getRootNode().activeElement);
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1 + entries.length, Home: 0, End: entries.length - 1 };
    if (event.key in steps) entries[steps[event.key] % entries.length].focus();
    else if (event.key === "Escape" || event.key === "Tab") {
      menu.remove();
      back?.();
    } else if (event.key.length > 1 || event.ctrlKey || event.metaKey) return;
    else {
      const action = event.key === " " ? null : actionOf(event.key, actions);
      if (!action) return;
      choose(entries[actions.indexOf(action)]);
    }
    event.preventDefault();
  };
}

function closeByTouch(menu) {
  const close = (event) => {
    if (event.composedPath().includes(menu)) return;
    document.removeEventListener("pointerdown", close, true);
    menu.remove();
  };
  document.addEventListener("pointerdown", close, true);
}

function keyName(key) {
  return { " ": "Space", Delete: "Del" }[key] ?? (key?.length === 1 ? key.toUpperCase() : (key ?? ""));
}
