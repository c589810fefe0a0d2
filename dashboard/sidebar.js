// What the window hears beside Streamlit: the sidebar, what its lists cut off, and where the keys go after a dialog.
// On a phone the sidebar lies over the page: who has chosen a page in it wants to see that.
if (!window.bilderatlasSidebar) {
  window.bilderatlasSidebar = true;
  document.addEventListener("click", (event) => {
    if (innerWidth >= 768 || !event.target.closest?.("[data-testid=stSidebar] [data-testid=stPageLink] a")) return;
    setTimeout(() => document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click(), 60);
  });
  // What a list has no room for is whole on hover: the chosen one, and each that can be chosen.
  document.addEventListener("pointerover", (event) => {
    const field = event.target.closest?.("[data-testid=stSelectbox]")?.querySelector("input[role=combobox]");
    if (field) field.title = field.value;
    const option = event.target.closest?.("[role=option]");
    if (option) option.title = option.textContent;
  });
  // Streamlit's dialogs give the focus back, but not into a shadow tree, where the galleries are: whoever works by keys
  // would begin at the top of the page again. Of what had it on the page last, the first that is still there gets it.
  let before = [];
  const note = (event) => {
    const path = event.composedPath();
    const at = path.find((each) => each.matches?.("button, a, input, textarea, [tabindex]"));
    if (!at || path.some((each) => each.dataset?.testid === "stDialog")) return;
    const wall = at.matches(".piece") && at.getRootNode();
    const place = wall ? [...wall.querySelectorAll(".piece")].indexOf(at) : -1;
    before = [{ at, wall, place }, ...before.filter((each) => each.at !== at)].slice(0, 8);
  };
  // It, or the picture that stands in its place now.
  const now = ({ at, wall, place }) => {
    const pieces = wall ? [...wall.querySelectorAll(".piece")] : [];
    return [at, pieces[Math.min(place, pieces.length - 1)]].find((each) => each?.isConnected && each.checkVisibility());
  };
  for (const kind of ["focusin", "keydown", "click"]) document.addEventListener(kind, note, true); // a shadow tree tells not all
  new MutationObserver((changes) => {
    if (!changes.some(({ removedNodes }) => [...removedNodes].some((each) => each.dataset?.testid === "stDialog"))) return;
    const free = () => document.activeElement === document.body && !document.querySelector("[data-testid=stDialog]");
    const back = () => free() && before.map(now).find(Boolean)?.focus({ preventScroll: true });
    for (const wait of [0, 300, 1200]) setTimeout(back, wait); // at once, and when what was removed is gone
  }).observe(document.body, { childList: true });
  // Who has chosen from a list with the mouse is through with it: its field gives the keys back to the page.
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("[role=option]")) return;
    setTimeout(() => {
      const field = document.activeElement;
      if (field?.matches("[data-testid=stSelectbox] input") && field.getAttribute("aria-expanded") !== "true") field.blur();
    }, 60);
  });
}
