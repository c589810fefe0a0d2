// Takes a picture from the clipboard, wherever on the page somebody pastes it (but in a text field, a paste is text).

export default function ({ data, parentElement, setTriggerValue }) {
  const status = parentElement.querySelector(".status");
  const take = async (blob) => {
    if (blob.size > data.bytes) {
      status.textContent = `The pasted picture is larger than ${data.bytes / 2 ** 20} MB.`;
      return;
    }
    status.textContent = "";
    const reader = new FileReader();
    reader.onload = () => setTriggerValue("pasted", reader.result);
    reader.readAsDataURL(blob);
  };
  const onPaste = (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((item) => item.type.startsWith("image/"));
    if (!file) return;
    event.preventDefault();
    take(file);
  };
  document.addEventListener("paste", onPaste);
  parentElement.querySelector("button").onclick = async () => {
    try {
      for (const item of await navigator.clipboard.read()) {
        const type = item.types.find((name) => name.startsWith("image/"));
        if (type) return take(await item.getType(type));
      }
      status.textContent = "There is no picture in the clipboard.";
    } catch {
      status.textContent = "The browser does not let pages read the clipboard: press Ctrl+V (⌘V on a Mac).";
    }
  };
  return () => document.removeEventListener("paste", onPaste);
}
