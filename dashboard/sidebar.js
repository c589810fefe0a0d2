// What the window hears beside Streamlit: the sidebar, and what its lists cut off.
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
  // Who has chosen from a list with the mouse is through with it: its field gives the keys back to the page.
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("[role=option]")) return;
    setTimeout(() => {
      const field = document.activeElement;
      if (field?.matches("[data-testid=stSelectbox] input") && field.getAttribute("aria-expanded") !== "true") field.blur();
    }, 60);
  });
}
