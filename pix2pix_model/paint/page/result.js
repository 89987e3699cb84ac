// What the model makes: one picture or several samples, beside the drawing or under a slider with it; and downloads.

export class Result {
  constructor(root, model, paper) {
    Object.assign(this, { root, model, paper });
    this.grid = root.querySelector(".samples");
    this.loading = root.querySelector(".loading");
    this.time = root.querySelector(".time");
    this.drawn = root.querySelector(".compare canvas");
    Object.assign(this.drawn, { width: model.width, height: model.height });
    this.over = root.querySelector(".compare img");
    this.slider = root.querySelector(".compare input");
    this.pictures = [];
    this.chosen = 0;
    this.slider.addEventListener("input", () => this.slide());
    this.slide();
  }

  // Says what is waited for, and the share of it that is done; nothing is, with an empty text.
  wait(text, share = 0) {
    const [line, bar] = this.loading.children;
    if (line.textContent !== text) line.textContent = text; // read aloud once
    bar.value = share;
    this.loading.hidden = !text;
  }

  async show({ pixels, pictures, milliseconds, since }) {
    this.pixels = pixels;
    this.pictures = pictures;
    this.chosen = Math.min(this.chosen, pictures.length - 1);
    while (this.grid.children.length > pictures.length) this.grid.lastChild.remove();
    while (this.grid.children.length < pictures.length) this.grid.append(this.sample(this.grid.children.length));
    this.grid.style.setProperty("--columns", Math.ceil(Math.sqrt(pictures.length)));
    this.grid.classList.toggle("several", pictures.length > 1);
    const shown = [...this.grid.querySelectorAll("img")];
    await Promise.all(shown.map((image, i) => { image.src = pictures[i]; return image.decode(); }));
    this.drawn.getContext("2d").putImageData(this.paper.image(pixels), 0, 0);
    this.choose(this.chosen);
    const waited = performance.now() - since;
    this.time.textContent = `${Math.round(waited)} ms`;
    this.time.title = `${Math.round(waited)} ms from the stroke to the picture; the model took ${Math.round(milliseconds)} ms`;
    this.root.dataset.waited = waited.toFixed(1);
    this.root.dataset.shown = Number(this.root.dataset.shown ?? 0) + 1;
    this.wait("");
    this.root.classList.remove("empty");
  }

  sample(number) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(Object.assign(new Image(), { alt: "", draggable: false }));
    button.addEventListener("click", () => this.choose(number));
    return button;
  }

  choose(number) {
    this.chosen = number;
    [...this.grid.children].forEach((button, i) => {
      button.setAttribute("aria-pressed", i === number);
      button.disabled = this.pictures.length === 1;
      const which = this.pictures.length > 1 ? `Sample ${i + 1} of ${this.pictures.length}` : "What the model makes of the drawing";
      button.firstChild.alt = which;
    });
    this.over.src = this.pictures[number];
  }

  slide() {
    this.slider.closest(".compare").style.setProperty("--at", `${this.slider.value}%`);
    this.slider.setAttribute("aria-valuetext", `${Math.round(this.slider.value)} % drawing`);
  }

  // --- downloads --------------------------------------------------------------------------------------------------

  async download(what) {
    const blob = await this[what]();
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: `${this.model.name}-${what}.png` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  drawing() {
    return this.paper.png(this.pixels);
  }

  // The very bytes of the back end.
  result() {
    const bytes = atob(this.pictures[this.chosen].split(",")[1]);
    return new Blob([Uint8Array.from(bytes, (one) => one.charCodeAt(0))], { type: "image/png" });
  }

  async both() {
    const { width, height } = this.model;
    const canvas = Object.assign(document.createElement("canvas"), { width: 2 * width, height });
    const context = canvas.getContext("2d");
    context.putImageData(this.paper.image(this.pixels), 0, 0);
    context.drawImage(await createImageBitmap(this.result()), width, 0);
    return new Promise((done) => canvas.toBlob(done, "image/png"));
  }
}
