// Copies the address. The map and the viewer of a picture write into it what part is in view, so it is read when it is asked for.
if (!window.bilderatlasCopyLink) {
  window.bilderatlasCopyLink = true;
  const SHOWN = 2000; // milliseconds for which the button says what became of it

  // Browsers give the clipboard to pages of https and of this computer alone; elsewhere a selected text can be copied.
  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const field = document.body.appendChild(Object.assign(document.createElement("textarea"), { value: text }));
      field.select();
      const done = document.execCommand("copy");
      field.remove();
      return done;
    }
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.(".ba-copy-link");
    if (!button) return;
    const done = await copy(location.href);
    button.textContent = done ? "Copied" : "Copy it from the address field";
    button.focus();
    setTimeout(() => (button.textContent = "Copy link"), SHOWN);
  });
}
