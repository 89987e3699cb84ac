// What turns a drawing into pictures: the server. One request at a time, and always of the newest drawing.

const PAUSE_MS = 12; // strokes come in bursts; what comes within this goes together

const name = Array.from(crypto.getRandomValues(new Uint32Array(3)), (one) => one.toString(36)).join("");

async function answerOf(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { "X-Painter": name, ...options.headers } });
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({ error: answer.statusText }));
  throw Object.assign(new Error(told.error), { status: answer.status });
}

export async function readModel() {
  return (await answerOf("api/model")).json();
}

export function exampleUrl(number) {
  return `api/examples/${number}`;
}

// Brings a file to the model's size and colours; gives its address for an image.
export async function prepare(file, source) {
  const answer = await answerOf(`api/prepare?source=${source}`, { method: "POST", body: file });
  return URL.createObjectURL(await answer.blob());
}

export class Translator {
  constructor({ take, made, failed }) {
    Object.assign(this, { take, made, failed });
    this.samples = 1;
    this.isWanted = this.isRunning = false;
  }

  // Says that the drawing has changed.
  want() {
    this.isWanted = true;
    this.wantedAt ??= performance.now();
    if (!this.isRunning) this.run();
  }

  async run() {
    this.isRunning = true;
    while (this.isWanted) {
      await new Promise((done) => setTimeout(done, PAUSE_MS));
      this.isWanted = false;
      const since = this.wantedAt;
      this.wantedAt = undefined;
      try {
        const { pixels, file } = this.take();
        const answer = await answerOf(`api/translate?samples=${this.samples}`, { method: "POST", body: file });
        const { pictures, milliseconds } = await answer.json();
        await this.made({ pixels, pictures, milliseconds, since });
      } catch (error) {
        if (error.status !== 409) this.failed(error);
        if (error.status === 503) { this.isWanted = true; await new Promise((done) => setTimeout(done, 500)); }
      }
    }
    this.isRunning = false;
  }
}
