// On a phone the sidebar lies over the page: who has chosen a page in it wants to see that.
if (!window.bilderatlasSidebar) {
  window.bilderatlasSidebar = true;
  document.addEventListener("click", (event) => {
    if (innerWidth >= 768 || !event.target.closest?.("[data-testid=stSidebar] [data-testid=stPageLink] a")) return;
    setTimeout(() => document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click(), 60);
  });
}
