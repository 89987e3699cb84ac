// Runs the model, so that the page stays free to be drawn on.

import { env, InferenceSession, Tensor } from "./onnxruntime.js";

const MOST_THREADS = 4;
let session;

onmessage = async ({ data }) => {
  try {
    postMessage(data.bytes ? await open(data.bytes) : await translated(data));
  } catch (error) {
    postMessage({ error: error.message ?? String(error) });
  }
};

async function open({ model, runtime }) {
  let received = 0;
  const count = (bytes) => {
    received += bytes;
    postMessage({ received });
  };
  const [program, content] = await Promise.all([
    load("onnxruntime.wasm", runtime, count), load("../model.onnx", model, count),
  ]);
  env.wasm.wasmBinary = program;
  // Threads share memory, which a browser allows where the host sends two headers (COOP and COEP).
  env.wasm.numThreads = crossOriginIsolated ? Math.min(MOST_THREADS, Math.ceil(navigator.hardwareConcurrency / 2)) : 1;
  session = await InferenceSession.create(content, { executionProviders: ["wasm"] });
  return {};
}

async function load(name, size, count) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${answer.url} cannot be loaded (${answer.status})`);
  const content = new Uint8Array(size);
  const reader = answer.body.getReader();
  let at = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done ? at !== size : at + value.length > size) throw new Error(`${answer.url} does not have ${size} bytes`);
    if (done) return content;
    content.set(value, at);
    at += value.length;
    count(value.length);
  }
}

async function translated({ pixels, width, height }) {
  const start = performance.now();
  const drawing = new Tensor("uint8", new Uint8Array(pixels.buffer), [1, height, width, 4]);
  const { picture } = await session.run({ drawing });
  const pictures = [await url(new Uint8ClampedArray(picture.data), width, height)];
  return { pictures, milliseconds: performance.now() - start };
}

// A picture as a text that a page can show, PNG inside.
async function url(rgba, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
  return new FileReaderSync().readAsDataURL(await canvas.convertToBlob({ type: "image/png" }));
}
