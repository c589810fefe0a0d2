// Plays frames that have all arrived. Space plays and pauses, the arrow keys step, Home and End go to the ends.
// Captions are set as text, never as HTML.

const players = new WeakMap(); // the player's element -> {shots, at, timer}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".player");
  const state = players.get(root) ?? { shots: null, at: 0, timer: null };
  players.set(root, state);
  const [play, slider, speed] = ["button", "input", "select"].map((tag) => root.querySelector(tag));
  const last = data.shots.length - 1;

  const show = (at) => {
    state.at = Math.min(last, Math.max(0, at));
    const { src, caption, alt } = data.shots[state.at];
    Object.assign(root.querySelector("img"), { src, alt });
    root.querySelector("figcaption").textContent = caption;
    slider.value = state.at;
    slider.setAttribute("aria-valuetext", caption);
  };
  const pause = () => {
    clearInterval(state.timer);
    state.timer = null;
    root.classList.remove("playing");
    play.setAttribute("aria-label", "Play");
  };
  const start = () => {
    pause();
    if (state.at === last) show(0);
    state.timer = setInterval(() => show(state.at === last ? 0 : state.at + 1), 1000 / (data.fps * speed.value));
    root.classList.add("playing");
    play.setAttribute("aria-label", "Pause");
  };

  play.onclick = () => (state.timer ? pause() : start());
  speed.onchange = () => state.timer && start();
  slider.oninput = () => {
    pause();
    show(Number(slider.value));
  };
  root.onkeydown = (event) => {
    if (event.target === speed) return;
    const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, Home: -last, End: last };
    if (event.key === " ") play.onclick();
    else if (event.key in steps) {
      pause();
      show(state.at + steps[event.key]);
    } else return;
    event.preventDefault();
  };

  const shots = JSON.stringify(data.shots);
  if (state.shots !== shots) {
    // Other frames: the same place if there are as many, else the end, where all is said.
    const same = state.shots !== null && Number(slider.max) === last;
    slider.max = last;
    play.disabled = slider.disabled = last === 0;
    state.shots = shots;
    show(same ? state.at : last);
  }
  return () => {
    if (!root.isConnected) pause(); // Streamlit may also call this for an update that another overtook
  };
}
