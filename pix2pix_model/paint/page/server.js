// The back end of the page that `p2p-model paint` serves: the model runs in the command.

const name = Array.from(crypto.getRandomValues(new Uint32Array(3)), (one) => one.toString(36)).join("");

async function answerOf(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: { "X-Painter": name, ...options.headers } });
  } catch {
    throw new Error("the server does not answer; was it ended?");
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({ error: answer.statusText }));
  throw Object.assign(new Error(told.error), { isOvertaken: answer.status === 409, isBusy: answer.status === 503 });
}

export async function readModel() {
  return (await answerOf("api/model")).json();
}

// Nothing to wait for: the model is loaded before the server answers.
export async function load() {}

export function exampleUrl(number) {
  return `api/examples/${number}`;
}

// Brings a file to the model's size and colours; gives its address for an image.
export async function prepare(file, source) {
  const answer = await answerOf(`api/prepare?source=${source}`, { method: "POST", body: file });
  return URL.createObjectURL(await answer.blob());
}

// Gives the addresses of what the model makes, and how long it took.
export async function translate(pixels, { width, height, samples }) {
  const body = bmp(pixels, width, height);
  return (await answerOf(`api/translate?samples=${samples}`, { method: "POST", body })).json();
}

// A picture as a BMP of 32 bits, top row first: written as fast as it is copied. A canvas may wait a whole second
// before it encodes, while there is input, and some browsers change pixels that are read back from one.
function bmp(pixels, width, height) {
  const file = new DataView(new ArrayBuffer(54 + 4 * pixels.length));
  file.setUint16(0, 0x424d);
  const header = [[2, file.byteLength], [10, 54], [14, 40], [18, width], [22, -height], [34, 4 * pixels.length]];
  for (const [at, value] of header) file.setInt32(at, value, true);
  file.setUint16(26, 1, true);
  file.setUint16(28, 32, true);
  const swapped = new Uint32Array(pixels.length);
  pixels.forEach((one, at) => { swapped[at] = (one & 0xff00) | ((one & 255) << 16) | ((one >> 16) & 255); });
  new Uint8Array(file.buffer, 54).set(new Uint8Array(swapped.buffer));
  return new Blob([file], { type: "image/bmp" });
}
