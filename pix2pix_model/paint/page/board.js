// The canvas one paints on: shows the drawing's pixels, takes strokes, and lets blocks be moved and resized. Konva does
// the latter: hit areas, dragging, handles.

import { newItem } from "./drawing.js";
import { polygonItem, rectangleItem } from "./shapes.js";

const { Konva } = window;
const CLOSE_PX = 9; // of the screen, from a polygon's first corner
const GRIP_PX = 16;

export class Board {
  // `pen()` says { tool, color, size, outline }.
  constructor(container, drawing, pen) {
    Object.assign(this, { container, drawing, pen });
    const { width, height } = drawing.paper;
    this.canvas = Object.assign(document.createElement("canvas"), { width, height });
    this.context = this.canvas.getContext("2d");
    this.stage = new Konva.Stage({ container, width, height });
    const below = new Konva.Layer({ listening: false, imageSmoothingEnabled: false });
    below.add(new Konva.Image({ image: this.canvas, width, height }));
    this.above = new Konva.Layer();
    this.handles = new Konva.Transformer({
      rotateEnabled: false, flipEnabled: false, keepRatio: false, ignoreStroke: true, anchorSize: 11, anchorCornerRadius: 6,
      anchorStroke: "#2a6a8a", borderStroke: "#2a6a8a", padding: 2,
      boundBoxFunc: (before, after) => (Math.min(Math.abs(after.width), Math.abs(after.height)) < 4 ? before : after),
    });
    this.handles.anchorStyleFunc((anchor) => anchor.hitStrokeWidth(GRIP_PX));
    this.cursor = new Konva.Circle({ stroke: "#fff", strokeWidth: 1.5, strokeScaleEnabled: false, listening: false, visible: false,
      shadowColor: "#000", shadowBlur: 2, shadowOpacity: 0.9, shadowForStrokeEnabled: true });
    this.corners = new Konva.Line({ stroke: "#2a6a8a", strokeWidth: 1.5, strokeScaleEnabled: false, listening: false, dash: [1, 1] });
    this.above.add(this.corners, this.cursor, this.handles);
    this.stage.add(below, this.above);
    this.below = below;
    this.chosen = null; // id of the chosen block
    this.polygon = null; // corners so far
    this.stroke = null;
    this.dropped = () => {};
    new ResizeObserver(() => this.fit()).observe(container);
    this.listen();
    this.fit();
  }

  fit() {
    const { width, height } = this.drawing.paper;
    this.zoom = Math.max(this.container.clientWidth, 1) / width;
    this.stage.size({ width: width * this.zoom, height: height * this.zoom });
    this.stage.scale({ x: this.zoom, y: this.zoom });
  }

  // Shows the drawing as it is now; gives its pixels.
  show() {
    const pixels = this.drawing.pixels();
    this.context.putImageData(this.drawing.paper.image(pixels), 0, 0);
    this.below.batchDraw();
    return pixels;
  }

  // --- blocks -----------------------------------------------------------------------------------------------------

  // Makes the blocks of the drawing's present state grabbable, in the move tool.
  settle() {
    if (this.chosen !== null && this.drawing.find(this.chosen)?.kind !== "shape") this.chosen = null;
    this.above.find(".block").forEach((node) => node.destroy());
    const grabbable = this.pen().tool === "move";
    const nodes = grabbable ? this.drawing.items.filter((item) => item.kind === "shape").map((item) => this.node(item)) : [];
    for (const node of nodes) { this.above.add(node); node.zIndex(0); }
    nodes.forEach((node, i) => node.zIndex(i));
    const chosen = nodes.find((node) => node.itemId === this.chosen);
    this.handles.nodes(chosen ? [chosen] : []);
    this.container.classList.toggle("moves", grabbable);
    if (!grabbable) this.chosen = null;
  }

  node(item) {
    const node = new Konva.Path({
      name: "block", data: item.d, x: item.x, y: item.y, scaleX: item.width / 100, scaleY: item.height / 100, fill: "#0000",
      stroke: "#0000", strokeScaleEnabled: false, hitStrokeWidth: GRIP_PX / this.zoom, draggable: true,
    });
    node.itemId = item.id;
    const moved = () => ({ ...this.drawing.find(item.id), x: node.x(), y: node.y(), width: 100 * node.scaleX(), height: 100 * node.scaleY() });
    node.on("pointerdown", () => this.choose(item.id));
    node.on("dragstart", () => this.choose(item.id));
    node.on("dragmove transform", () => this.drawing.show(moved()));
    node.on("dragend transformend", () => this.drawing.replace(whole(moved())));
    return node;
  }

  choose(id) {
    if (this.chosen === id) return;
    this.chosen = id;
    const node = this.above.find(".block").find((one) => one.itemId === id);
    this.handles.nodes(node ? [node] : []);
  }

  // Drops a block with its middle at a place of the picture.
  drop(item, [x, y]) {
    const placed = newItem(whole({ ...item, x: x - item.width / 2, y: y - item.height / 2 }));
    this.dropped(); // takes the move tool, without which nothing stays chosen
    this.chosen = placed.id;
    this.drawing.add(placed);
  }

  nudge(across, down) {
    const item = this.drawing.find(this.chosen);
    if (item) this.drawing.replace({ ...item, x: item.x + across, y: item.y + down });
  }

  scale(factor) {
    const item = this.drawing.find(this.chosen);
    if (!item) return;
    const width = Math.max(2, Math.round(item.width * factor)), height = Math.max(2, Math.round(item.height * factor));
    const x = Math.round(item.x + (item.width - width) / 2), y = Math.round(item.y + (item.height - height) / 2);
    this.drawing.replace({ ...item, x, y, width, height });
  }

  removeChosen() {
    if (this.chosen !== null) this.drawing.remove(this.chosen);
  }

  // --- pointer ----------------------------------------------------------------------------------------------------

  place(event) {
    const { left, top } = this.container.getBoundingClientRect();
    return [(event.clientX - left) / this.zoom, (event.clientY - top) / this.zoom];
  }

  holds(event) {
    const { left, top, right, bottom } = this.container.getBoundingClientRect();
    return event.clientX >= left && event.clientX < right && event.clientY >= top && event.clientY < bottom;
  }

  listen() {
    this.stage.on("pointerdown", ({ evt, target }) => this.press(evt, target));
    this.stage.on("pointermove", ({ evt }) => this.move(evt));
    this.stage.on("pointerup pointercancel", ({ evt }) => this.release(evt));
    this.container.addEventListener("dblclick", () => this.closePolygon());
    this.container.addEventListener("pointerleave", () => { this.cursor.hide(); });
  }

  press(event, target) {
    if (!event.isPrimary || event.button > 0) return;
    const { tool, color, size } = this.pen();
    const at = this.place(event);
    if (tool === "move") {
      if (target === this.stage) this.choose(null);
      return;
    }
    event.target.setPointerCapture?.(event.pointerId);
    if (tool === "fill") this.drawing.add(newItem({ kind: "fill", x: at[0], y: at[1], color }));
    else if (tool === "polygon") this.corner(at);
    else if (tool === "pick") this.picked(this.drawing.pixels()[Math.floor(at[1]) * this.drawing.paper.width + Math.floor(at[0])]);
    else if (tool === "rectangle") this.stroke = { at, item: null };
    else this.stroke = { item: newItem({ kind: "stroke", points: at, width: size, color }) };
    if (this.stroke?.item) this.drawing.show(this.stroke.item);
  }

  move(event) {
    const at = this.place(event);
    this.point(event, at);
    if (this.polygon) this.corners.points([...this.polygon, ...at]);
    if (!this.stroke) return;
    if (this.stroke.at) {
      const { color, outline } = this.pen();
      this.stroke.item = { ...newItem(rectangleItem(...this.stroke.at, ...at)), color, outline };
    } else {
      const passed = event.getCoalescedEvents?.() ?? [];
      const places = (passed.length ? passed : [event]).flatMap((one) => this.place(one));
      this.stroke.item = { ...this.stroke.item, points: [...this.stroke.item.points, ...places] };
    }
    this.drawing.show(this.stroke.item);
  }

  release(event) {
    if (!this.stroke || !event.isPrimary) return;
    const { item } = this.stroke;
    this.stroke = null;
    if (event.type === "pointercancel" || !item) this.drawing.show(null);
    else this.drawing.add(item);
  }

  // A ring as wide as the brush.
  point(event, [x, y]) {
    const { tool, size } = this.pen();
    const isBrush = (tool === "brush" || tool === "eraser") && event.pointerType !== "touch";
    this.cursor.visible(isBrush && size * this.zoom > 5);
    this.cursor.setAttrs({ x, y, radius: size / 2, shadowBlur: 2 });
  }

  // --- polygons ---------------------------------------------------------------------------------------------------

  corner(at) {
    const [x, y] = this.polygon ?? at;
    const isClosing = this.polygon?.length >= 6 && Math.hypot(at[0] - x, at[1] - y) * this.zoom < CLOSE_PX;
    if (isClosing) return this.closePolygon();
    this.polygon = [...(this.polygon ?? []), ...at];
    this.corners.dash([4 / this.zoom, 3 / this.zoom]);
    this.corners.points(this.polygon.length > 2 ? this.polygon : [...at, at[0] + 0.5, at[1]]);
  }

  closePolygon() {
    const corners = this.polygon ?? [];
    this.leavePolygon();
    const { color, outline } = this.pen();
    if (corners.length >= 6) this.drawing.add(newItem({ ...polygonItem(corners), color, outline }));
  }

  leavePolygon() {
    this.polygon = null;
    this.corners.points([]);
  }
}

// Blocks rest on whole pixels.
function whole(item) {
  const [x, y] = [item.x, item.y].map(Math.round);
  return { ...item, x, y, width: Math.max(1, Math.round(item.width)), height: Math.max(1, Math.round(item.height)) };
}
