// Tools, colours and blocks: what is chosen, by pointer and by key.

import { blocksFor, outlineOf, sizeOf } from "./shapes.js";

const SVG = "http://www.w3.org/2000/svg";
const DRAG_PX = 6;
const GRAYS = [
  { name: "black", color: "#000000" }, { name: "dark", color: "#404040" }, { name: "middle", color: "#808080" },
  { name: "light", color: "#bfbfbf" }, { name: "white", color: "#ffffff" },
];

export class Controls {
  constructor(root, model) {
    Object.assign(this, { root, model });
    this.isLines = model.kind === "lines";
    this.tool = "brush";
    this.colors = this.palette();
    this.color = this.startColor();
    this.size = this.isLines ? model.line_px : Math.max(3, Math.round(model.height / 12));
    this.eraserSize = Math.max(5, Math.round(model.height / 16));
    this.changed = () => {};
    this.drop = () => {};
    this.wire();
  }

  palette() {
    if (this.isLines) return [this.model.colors[1]];
    if (this.model.kind === "gray") return GRAYS;
    return this.model.colors;
  }

  get ground() {
    if (this.isLines) return this.model.colors[0].color;
    const covers = [...this.model.colors].sort((one, other) => (other.share ?? 0) - (one.share ?? 0));
    return (this.model.colors.find(({ name }) => /^(background|sky)$/.test(name)) ?? covers[0])?.color ?? "#808080";
  }

  startColor() {
    return (this.colors.find(({ color }) => color !== this.ground) ?? { color: "#3a6ea5" }).color;
  }

  pen() {
    const eraser = this.tool === "eraser";
    return {
      tool: this.tool,
      color: eraser ? (this.isLines ? this.ground : null) : this.color,
      size: eraser ? this.eraserSize : this.size,
      outline: this.isLines ? this.model.line_px : null,
    };
  }

  // --- wiring -----------------------------------------------------------------------------------------------------

  wire() {
    this.tools = [...this.root.querySelectorAll("[data-tool]")];
    for (const button of this.tools) {
      button.addEventListener("click", () => this.take(button.dataset.tool));
      if (this.isLines && button.dataset.tool === "fill") button.hidden = true;
      if (this.isLines && button.dataset.tool === "brush") { button.title = "Pen (B)"; button.ariaLabel = "Pen"; }
      if (button.dataset.tool === "pick") button.hidden = this.model.kind !== "photo";
    }
    this.width = this.root.querySelector("#size");
    this.width.max = Math.max(8, Math.round(this.model.height / 3));
    this.width.addEventListener("input", () => this.resize(Number(this.width.value)));
    this.fillPalette();
    this.fillShelf();
    this.update();
  }

  take(tool) {
    this.tool = tool;
    this.update();
    this.changed();
  }

  resize(size) {
    const bounded = Math.max(1, Math.min(Number(this.width.max), size));
    if (this.tool === "eraser") this.eraserSize = bounded;
    else if (!this.isLines) this.size = bounded;
    this.update();
  }

  paintWith(color) {
    this.color = color;
    if (this.tool === "eraser" || this.tool === "move" || this.tool === "pick") this.tool = "brush";
    this.update();
    this.changed();
  }

  update() {
    for (const button of this.tools) button.setAttribute("aria-pressed", button.dataset.tool === this.tool);
    for (const button of this.root.querySelectorAll("[data-color]")) button.setAttribute("aria-pressed", button.dataset.color === this.color);
    for (const icon of this.root.querySelectorAll(".block.free path")) icon.setAttribute("fill", this.isLines ? "none" : this.color);
    const { size, tool } = this.pen();
    this.width.value = size;
    this.root.querySelector(".size").classList.toggle("unused", !(tool === "eraser" || (tool === "brush" && !this.isLines)));
    this.root.querySelector("output").textContent = `${size} px`;
    if (this.free) this.free.value = this.color;
  }

  fillPalette() {
    const list = this.root.querySelector(".palette");
    this.root.querySelector(".classes").hidden = this.isLines;
    for (const { name, color } of this.colors) {
      const button = Object.assign(document.createElement("button"), { type: "button", className: "color" });
      button.dataset.color = color;
      const swatch = icon("M0 0H100V100H0Z", color);
      button.append(swatch, Object.assign(document.createElement("span"), { textContent: name }));
      button.title = `${name}, ${color}`;
      button.addEventListener("click", () => this.paintWith(color));
      list.append(button);
    }
    if (this.model.kind !== "photo") return;
    const label = Object.assign(document.createElement("label"), { className: "color", textContent: "Any colour" });
    this.free = Object.assign(document.createElement("input"), { type: "color", value: this.color });
    this.free.addEventListener("input", () => this.paintWith(this.free.value));
    label.prepend(this.free);
    list.append(label);
  }

  fillShelf() {
    const shelf = this.root.querySelector(".shelf");
    for (const { shape, label, color } of blocksFor(this.model.kind, this.colors)) {
      const button = Object.assign(document.createElement("button"), { type: "button", className: color ? "block" : "block free", title: label });
      const [width, height] = sizeOf(shape, this.model.width, this.model.height);
      button.append(icon(outlineOf(shape), color ?? "none", width / height), Object.assign(document.createElement("span"), { textContent: label }));
      button.dataset.shape = shape;
      button.dataset.label = label;
      this.makeDraggable(button, { kind: "shape", d: outlineOf(shape), width, height }, color);
      shelf.append(button);
    }
  }

  // A tap or Enter drops a block in the middle, a drag where it ends.
  makeDraggable(button, item, color) {
    const block = () => ({ ...item, color: color ?? this.color, outline: this.pen().outline });
    let start = null, ghost = null, wasDragged = false;
    button.addEventListener("pointerdown", (event) => {
      if (!event.isPrimary || event.button > 0) return;
      start = event;
      wasDragged = false;
      button.setPointerCapture(event.pointerId);
    });
    button.addEventListener("pointermove", (event) => {
      if (!start || (!ghost && Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY) < DRAG_PX)) return;
      ghost ??= this.ghostOf(button);
      wasDragged = true;
      ghost.style.translate = `${event.clientX}px ${event.clientY}px`;
    });
    const end = (event) => {
      if (ghost && event.type === "pointerup") this.drop(block(), event);
      ghost?.remove();
      start = ghost = null;
    };
    button.addEventListener("pointerup", end);
    button.addEventListener("pointercancel", end);
    button.addEventListener("click", () => { if (!wasDragged) this.drop(block(), null); wasDragged = false; });
  }

  ghostOf(button) {
    const ghost = button.querySelector("svg").cloneNode(true);
    ghost.classList.add("ghost");
    document.body.append(ghost);
    return ghost;
  }
}

function icon(d, fill, aspect = 1) {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", `0 0 ${100 * Math.max(aspect, 0.001)} 100`);
  picture.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", d);
  path.setAttribute("fill", fill);
  path.setAttribute("transform", `scale(${aspect} 1)`);
  picture.append(path);
  return picture;
}
