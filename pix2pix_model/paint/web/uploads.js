// A picture of the user's made into what the model is given, as far as a browser can: fitted, and in the model's colours.

export async function fittedTo(model, file) {
  const picture = await createImageBitmap(file).catch(() => { throw new Error("this is no picture that the browser can read"); });
  const { width, height, kind } = model;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff"; // below what is transparent
  context.fillRect(0, 0, width, height);
  context.imageSmoothingEnabled = kind !== "segments"; // of labels, pixels are taken; mixtures would be of no class
  context.imageSmoothingQuality = "high";
  const zoom = Math.max(width / picture.width, height / picture.height);
  const [across, down] = [width / zoom, height / zoom]; // of the picture; what hangs over is cut
  context.drawImage(picture, (picture.width - across) / 2, (picture.height - down) / 2, across, down, 0, 0, width, height);
  const image = context.getImageData(0, 0, width, height);
  if (kind === "segments") snap(image.data, model.colors.map(({ color }) => channelsOf(color)));
  if (kind === "gray") fade(image.data, model.gray === "lightness" ? grayOfLightness : grayOfLuma);
  context.putImageData(image, 0, 0);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function channelsOf(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

// Gives each pixel the colour that is nearest in Lab.
function snap(pixels, colors) {
  const centers = colors.map((color) => labOf(...color));
  const nearest = new Map(); // few colours are met more than once in a photo, all of them in a label map
  for (let at = 0; at < pixels.length; at += 4) {
    const [r, g, b] = pixels.subarray(at, at + 3);
    const code = (r << 16) | (g << 8) | b;
    let color = nearest.get(code);
    if (!color) {
      const lab = labOf(r, g, b);
      const distances = centers.map((center) => center.reduce((sum, one, i) => sum + (one - lab[i]) ** 2, 0));
      color = colors[distances.indexOf(Math.min(...distances))];
      nearest.set(code, color);
    }
    pixels.set(color, at);
  }
}

function fade(pixels, grayOf) {
  for (let at = 0; at < pixels.length; at += 4) pixels.fill(grayOf(...pixels.subarray(at, at + 3)), at, at + 3);
}

// --- colours ------------------------------------------------------------------------------------------------------

// ITU-R BT.601, in whole numbers over 2 ** 16.
function grayOfLuma(r, g, b) {
  return (19595 * r + 38470 * g + 7471 * b + 32768) >> 16;
}

// The level that is as light as the pixel: L of CIE Lab follows from the luminance alone.
function grayOfLightness(r, g, b) {
  const light = luminance(linear(r), linear(g), linear(b));
  return Math.round(255 * (light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055));
}

// IEC 61966-2-1.
function linear(level) {
  const share = level / 255;
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
}

function luminance(r, g, b) {
  return 0.212671 * r + 0.71516 * g + 0.072169 * b;
}

// CIE Lab (D65).
function labOf(red, green, blue) {
  const [r, g, b] = [red, green, blue].map(linear);
  const whites = [(0.412453 * r + 0.35758 * g + 0.180423 * b) / 0.950456, luminance(r, g, b), (0.019334 * r + 0.119193 * g + 0.950227 * b) / 1.088754];
  const [x, y, z] = whites.map((one) => (one > 216 / 24389 ? Math.cbrt(one) : ((24389 / 27) * one + 16) / 116));
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}
