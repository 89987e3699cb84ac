// The back end of the static page: the model runs in a worker of the browser.

import { fittedTo } from "./uploads.js";

const MEGABYTE = 1_000_000;
const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
let model;

// Asks the worker for one thing at a time; `told` hears of what it says on the way.
function ask(wish, told = () => {}) {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      if (data.error) reject(new Error(data.error));
      else if (data.received === undefined) resolve(data);
      else told(data.received);
    };
    worker.onerror = ({ message }) => reject(new Error(message || "this browser cannot run it"));
    worker.postMessage(wish);
  });
}

export async function readModel() {
  const answer = await fetch("model.json");
  if (!answer.ok) throw new Error(`model.json cannot be loaded (${answer.status})`);
  model = await answer.json();
  return model;
}

// Loads model and runtime; `tell(text, share)` hears how much of them has come.
export async function load(tell) {
  const total = model.bytes.model + model.bytes.runtime;
  const size = `${Math.round(total / MEGABYTE)} MB`;
  tell(`Loading the model, ${size} …`);
  await ask({ bytes: model.bytes }, (received) => {
    tell(received < total ? `Loading the model, ${size} …` : "Setting up the model …", received / total);
  });
}

export function exampleUrl(number) {
  return `examples/${number}.png`;
}

// Brings a file to the model's size and colours; gives its address for an image.
export async function prepare(file) {
  return URL.createObjectURL(await fittedTo(model, file));
}

// Gives the address of what the model makes, and how long it took.
export async function translate(pixels, { width, height }) {
  return ask({ pixels, width, height });
}
