// The tour: a card in a corner, of four steps, that leaves the page below as usable as it was. It comes by itself where this
// browser has never shown it, and after that by the link in the sidebar's foot alone.
if (!window.bilderatlasTour) {
  const SEEN = "bilderatlas-tour";
  const STEPS = [
    [
      "[data-testid=stSidebar] .st-key-pages, [data-testid=stExpandSidebarButton]",
      "The pages",
      "They stand in the sidebar, in four groups: explore the collection, look through the network, train and trust, data.",
    ],
    [
      "[data-testid=stMain] .stBidiComponent, [data-testid=stMain] [data-testid=stBidiComponentRegular]",
      "Pictures",
      "Click one to select it, double-click or press Enter to open it. The right mouse button has all that can be done with it.",
    ],
    [
      ".st-key-filter button",
      "Filter",
      "What you filter here holds on every page. The address is a link to what you see (“Copy link” in the sidebar), and Back goes back.",
    ],
    [
      ".ba-intro, .st-key-map_about button",
      "Words",
      "A word with a dotted line, and each question mark, says what it means. Most pages have an example to begin with.",
    ],
  ];

  // A browser that stores nothing would show it at each visit: it is then shown on request alone.
  const stored = (value) => {
    try {
      if (value) localStorage.setItem(SEEN, value);
      return localStorage.getItem(SEEN);
    } catch {
      return "not stored";
    }
  };

  let card = null;
  let at = 0;
  let framing = 0; // the timer that puts the frame back where a rerun has made its element anew

  const element = (name, words, about = {}) => Object.assign(document.createElement(name), { textContent: words, ...about });

  function end() {
    const within = card?.contains(document.activeElement);
    card?.remove();
    card = null;
    clearInterval(framing);
    ring();
    document.documentElement.removeAttribute("data-tour");
    if (within) document.querySelector(".ba-tour-link")?.focus({ preventScroll: true });
  }

  // The first that is seen: some parts of Streamlit's take no room, or lie beside the window.
  function isSeen(element) {
    const { height, left, right } = element.getBoundingClientRect();
    return height > 16 && right > 0 && left < innerWidth;
  }

  function ring(selector) {
    const seen = selector && [...document.querySelectorAll(selector)].find(isSeen);
    for (const marked of document.querySelectorAll("[data-tour-here]")) if (marked !== seen) marked.removeAttribute("data-tour-here");
    seen?.setAttribute("data-tour-here", "");
  }

  function step(number) {
    at = number;
    if (at >= STEPS.length) return end();
    const [selector, title, words] = STEPS[at];
    const last = at === STEPS.length - 1;
    const text = element("p", words);
    const next = element("button", last ? "Done" : "Next", { type: "button", className: "next", onclick: () => step(at + 1) });
    const close = element("button", "Skip", { type: "button", onclick: end });
    const row = element("div", "", { className: "row" });
    row.append(element("span", `${at + 1} of ${STEPS.length}`), ...(last ? [] : [close]), next);
    const focused = card.contains(document.activeElement);
    card.replaceChildren(element("h2", title), text, row);
    if (focused) next.focus();
    ring(selector);
    clearInterval(framing);
    framing = setInterval(() => ring(selector), 300); // the page may be on its way, and comes and goes with reruns
  }

  function begin(focus) {
    if (!card) {
      card = element("section", "", { className: "ba-tour" });
      card.setAttribute("aria-label", "Tour");
      card.setAttribute("aria-live", "polite");
      document.body.prepend(card); // the first stop of the Tab key
      const ground = getComputedStyle(document.querySelector("[data-testid=stApp]") ?? document.body);
      card.style.setProperty("--ground", ground.backgroundColor);
      card.style.setProperty("--ink", ground.color);
      document.documentElement.setAttribute("data-tour", "");
    }
    step(0);
    stored("seen");
    if (focus) card.querySelector(".next").focus();
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && card) end();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.(".ba-tour-link")) begin(true);
  });
  window.bilderatlasTour = { visit: () => stored() || begin(false) };
}
