// Pixels of exact colours. A browser's canvas mixes colours along every border; a model was trained on none of these
// mixtures. So a canvas is asked only which pixels a shape covers, and they are painted in an array of our own.

const HALF_COVERED = 128;

export function packed(hex) {
  const value = parseInt(hex.slice(1), 16);
  return (0xff000000 | ((value & 255) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
}

export function hexOf(pixel) {
  const channels = [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255];
  return "#" + channels.map((one) => one.toString(16).padStart(2, "0")).join("");
}

export class Paper {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    const scratch = Object.assign(document.createElement("canvas"), { width, height });
    this.scratch = scratch.getContext("2d", { willReadFrequently: true });
  }

  blank(hex) {
    return new Uint32Array(this.width * this.height).fill(packed(hex));
  }

  async read(source) {
    const image = new Image();
    image.src = source;
    await image.decode();
    this.scratch.globalCompositeOperation = "copy";
    this.scratch.imageSmoothingEnabled = false;
    this.scratch.drawImage(image, 0, 0, this.width, this.height);
    this.scratch.globalCompositeOperation = "source-over";
    return new Uint32Array(this.scratch.getImageData(0, 0, this.width, this.height).data.buffer);
  }

  // Paints an item onto pixels; `base` is what an eraser brings back.
  paint(pixels, item, base) {
    const color = item.color === null ? null : packed(item.color);
    const set = (at) => { pixels[at] = color === null ? base[at] : color; };
    if (item.kind === "fill") this.flood(pixels, item, set);
    else if (item.kind === "stroke" && item.width === 1) this.thinLine(item.points, set);
    else if (item.kind === "stroke") this.cover(bounds(item.points, item.width), set, (context) => stroke(context, item));
    else this.cover(boxOf(item), set, (context) => shape(context, item), item);
  }

  cover([left, top, right, bottom], set, draw, item) {
    const x = Math.max(0, Math.floor(left)), y = Math.max(0, Math.floor(top));
    const width = Math.min(this.width, Math.ceil(right)) - x, height = Math.min(this.height, Math.ceil(bottom)) - y;
    if (width <= 0 || height <= 0) return;
    if (item && item.outline === 1) return this.thinOutline(item, set);
    this.scratch.clearRect(x, y, width, height);
    this.scratch.save();
    draw(this.scratch);
    this.scratch.restore();
    const covered = this.scratch.getImageData(x, y, width, height).data;
    for (let row = 0, from = 3; row < height; row++) {
      for (let at = (y + row) * this.width + x, end = at + width; at < end; at++, from += 4) {
        if (covered[from] >= HALF_COVERED) set(at);
      }
    }
  }

  // Bresenham's line: one pixel to a step, as the strokes of edge datasets are.
  thinLine(points, set) {
    const dot = (x, y) => { if (x >= 0 && y >= 0 && x < this.width && y < this.height) set(y * this.width + x); };
    let [x, y] = points.slice(0, 2).map(Math.floor);
    dot(x, y);
    for (let i = 2; i < points.length; i += 2) {
      const endX = Math.floor(points[i]), endY = Math.floor(points[i + 1]);
      const across = Math.abs(endX - x), down = -Math.abs(endY - y);
      const stepX = x < endX ? 1 : -1, stepY = y < endY ? 1 : -1;
      let error = across + down;
      while (x !== endX || y !== endY) {
        const twice = 2 * error;
        if (twice >= down) { error += down; x += stepX; }
        if (twice <= across) { error += across; y += stepY; }
        dot(x, y);
      }
    }
  }

  thinOutline(item, set) {
    const outline = document.createElementNS("http://www.w3.org/2000/svg", "path");
    for (const part of item.d.split(/(?=M)/)) {
      outline.setAttribute("d", part);
      const length = outline.getTotalLength(), steps = Math.max(8, Math.ceil(length));
      const points = [];
      for (let i = 0; i <= steps; i++) {
        const point = outline.getPointAtLength((length * i) / steps);
        points.push(item.x + (point.x * (item.width - 1)) / 100, item.y + (point.y * (item.height - 1)) / 100);
      }
      this.thinLine(points, set);
    }
  }

  flood(pixels, item, set) {
    const x = Math.floor(item.x), y = Math.floor(item.y);
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return;
    const { width, height } = this;
    const old = pixels[y * width + x];
    const seen = new Uint8Array(width * height);
    const waiting = [y * width + x];
    while (waiting.length) {
      const at = waiting.pop();
      if (seen[at] || pixels[at] !== old) continue;
      seen[at] = 1;
      const column = at % width;
      if (column > 0) waiting.push(at - 1);
      if (column < width - 1) waiting.push(at + 1);
      if (at >= width) waiting.push(at - width);
      if (at < width * (height - 1)) waiting.push(at + width);
    }
    seen.forEach((one, at) => { if (one) set(at); });
  }

  image(pixels) {
    return new ImageData(new Uint8ClampedArray(pixels.slice().buffer), this.width, this.height);
  }

  async png(pixels) {
    const canvas = Object.assign(document.createElement("canvas"), { width: this.width, height: this.height });
    canvas.getContext("2d").putImageData(this.image(pixels), 0, 0);
    return new Promise((done) => canvas.toBlob(done, "image/png"));
  }
}

function bounds(points, width) {
  const across = points.filter((_, i) => i % 2 === 0), down = points.filter((_, i) => i % 2 === 1);
  const margin = width / 2 + 1;
  return [Math.min(...across) - margin, Math.min(...down) - margin, Math.max(...across) + margin, Math.max(...down) + margin];
}

function boxOf(item) {
  const margin = (item.outline || 0) / 2 + 1;
  return [item.x - margin, item.y - margin, item.x + item.width + margin, item.y + item.height + margin];
}

function stroke(context, { points, width }) {
  context.lineWidth = width;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  context.moveTo(points[0], points[1]);
  if (points.length === 2) context.lineTo(points[0], points[1] + 0.01);
  for (let i = 2; i < points.length; i += 2) context.lineTo(points[i], points[i + 1]);
  context.stroke();
}

function shape(context, item) {
  const path = new Path2D();
  path.addPath(new Path2D(item.d), new DOMMatrix([item.width / 100, 0, 0, item.height / 100, item.x, item.y]));
  if (!item.outline) return context.fill(path);
  context.lineWidth = item.outline;
  context.lineJoin = "round";
  context.stroke(path);
}
