// The map in a page of its own: the same program as on the dashboard, its pictures and words taken from this page.

const given = JSON.parse(document.getElementById("given").textContent);
const LISTED = 500; // selected pictures that are named below the map
const NOTHING = "data:,"; // no picture: another one is taken, or none
const place = new Map(given.ids.map((id, i) => [id, i]));

const bytesOf = (type, text) => (text ? `data:${type};base64,${text}` : NOTHING);
const titleOf = (id) => given.titles[place.get(id)] ?? "";
const thumbOf = (id) => bytesOf("image/jpeg", given.thumbs[id]);
const aboutOf = (id) => {
  const caption = { title: titleOf(id), caption: given.captions[place.get(id)] ?? "" };
  return `data:application/json,${encodeURIComponent(JSON.stringify(caption))}`;
};

// The map puts a picture's number into an address; here an address is what the number stands for.
const by = (find) => ({ replace: (_, number) => find(number) });
const data = {
  ...given.canvas,
  points: bytesOf("application/octet-stream", given.points),
  clusters: given.clusters && bytesOf("application/json", given.clusters),
  thumb: by(thumbOf),
  about: by(aboutOf),
  page: by((cell) => by((page) => bytesOf("image/jpeg", given.pages[`${cell}/${page}`]))),
};

showMap({
  data,
  parentElement: document.body,
  setStateValue: (name, value) => name === "marked" && list(decodeRanges(value.ranges, given.ids.length)),
  setTriggerValue: (name, id) => name === "done" && id[0] === "open" && open(id[1]),
});
list(decodeRanges(data.marked, given.ids.length));

// What is selected, below the map.
function list(mask) {
  const chosen = given.ids.filter((_, i) => mask[i]);
  const section = document.querySelector(".chosen");
  section.hidden = !chosen.length;
  const count = chosen.length.toLocaleString("en");
  const more = chosen.length > LISTED ? `, of which the first ${LISTED} are named here` : "";
  section.querySelector("h2").textContent = `${count} selected${more}`;
  section.querySelector("ol").replaceChildren(
    ...chosen.slice(0, LISTED).map((id) => {
      const [line, button] = [document.createElement("li"), document.createElement("button")];
      button.textContent = [titleOf(id), given.captions[place.get(id)]].filter(Boolean).join(", ");
      button.onclick = () => open(id);
      line.append(button);
      return line;
    }),
  );
}

// One picture with all that is known about it.
function open(id) {
  const box = document.querySelector(".one");
  const image = document.createElement("img");
  image.alt = titleOf(id);
  if (given.thumbs[id]) image.src = thumbOf(id);
  image.hidden = !given.thumbs[id];
  box.querySelector("img").replaceWith(image);
  box.querySelector("h2").textContent = titleOf(id);
  box.querySelector("dl").replaceChildren(
    ...given.columns.flatMap((name, at) => {
      const value = given.facts[place.get(id)]?.[at];
      if (value === null || value === undefined || value === "") return [];
      const [term, definition] = [document.createElement("dt"), document.createElement("dd")];
      term.textContent = name;
      definition.textContent = value;
      return [term, definition];
    }),
  );
  box.showModal();
}
