// The tools of a viewer: buttons with icons, and the keys that press them.

const ICONS = {
  previous: "M10 3 5 8l5 5",
  next: "M6 3l5 5-5 5",
  closer: "M8 3v10M3 8h10",
  farther: "M3 8h10",
  whole: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
  native: "M3 5l2-1.5V13M10.5 5l2-1.5V13M8 6.5v.1M8 10.5v.1",
  full: "M9 7l5-5M10 2h4v4M7 9l-5 5M6 14H2v-4",
  region: "M3 3h10v10H3zM3 1v4M1 3h4",
  joined: "M3 4l10 8M3 11l10-6M2.5 4h.1M13.4 12h.1M2.5 11h.1M13.4 5h.1",
  together: "M6.5 9.5l3-3M7 5l2-2a2.8 2.8 0 0 1 4 4l-2 2M9 11l-2 2a2.8 2.8 0 0 1-4-4l2-2",
};

export function button(name, title, act) {
  const element = document.createElement("button");
  element.className = `tool-${name}`;
  element.type = "button";
  element.title = title;
  element.setAttribute("aria-label", title);
  element.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${ICONS[name]}"/></svg>`;
  element.onclick = act;
  return element;
}

const OWN_KEYS = "[role=combobox], [role=listbox], [role=menu], [role=slider], [role=spinbutton], [contenteditable], textarea, select";

// Keys count on the page as a whole, or on the dialog that the viewer is in. Letters and signs also count where a button,
// a link or a switch has the focus, since these do nothing with them; no key counts where somebody types or moves a
// control.
export function isForViewer(event, stage, dialog = null) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return false;
  const path = event.composedPath();
  if (event.target === (dialog ?? document.body) || path.includes(stage)) return true;
  const here = dialog ? path.includes(dialog) : !event.target.closest?.("[role=dialog]");
  return here && event.key.length === 1 && event.key !== " " && !takesKeys(path[0]);
}

function takesKeys(target) {
  return Boolean(target.closest?.(OWN_KEYS) || target.matches?.("input:not([type=checkbox], [type=radio])"));
}
