
for (const player of document.querySelectorAll(".player")) {
  const slider = player.querySelector(".steps");
  const button = player.querySelector(".play");
  const labels = JSON.parse(player.dataset.labels);
  const places = player.dataset.at.split(" ");
  const curves = [...player.querySelectorAll(".curves figure")].map((figure) => ({
    marker: figure.querySelector(".marker"),
    told: figure.querySelector("output"),
    values: figure.dataset.values.split(" "),
  }));
  const stacks = [...player.querySelectorAll(".frames")].map((stack) => [...stack.children]);
  const last = labels.length - 1;
  let timer = 0;

  const showStep = () => {
    const shown = Number(slider.value);
    for (const stack of stacks) stack.forEach((frame, i) => { frame.hidden = i !== shown; });
    for (const { marker, told, values } of curves) {
      marker.setAttribute("x1", places[shown]);
      marker.setAttribute("x2", places[shown]);
      told.textContent = values[shown];
    }
    player.querySelector(".step").textContent = labels[shown];
    slider.setAttribute("aria-valuetext", labels[shown]);
  };
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    button.textContent = "Play";
  };
  const goTo = (shown) => {
    slider.value = Math.min(last, Math.max(0, shown));
    showStep();
  };
  const play = () => {
    if (Number(slider.value) === last) goTo(0);
    button.textContent = "Pause";
    timer = setInterval(() => {
      goTo(Number(slider.value) + 1);
      if (Number(slider.value) === last) stop();
    }, Math.max(120, Math.min(600, 8000 / labels.length)));
  };

  player.querySelector(".controls").hidden = last === 0;
  slider.addEventListener("input", () => { stop(); showStep(); });
  button.addEventListener("click", () => (timer ? stop() : play()));
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("a, button, input, summary")) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) {
      stop();
      goTo(Number(slider.value) + step);
    } else if (event.key === " ") {
      button.click();
    } else {
      return;
    }
    event.preventDefault();
  });
  showStep(); // Firefox keeps where the slider stood when the page is loaded again
}
