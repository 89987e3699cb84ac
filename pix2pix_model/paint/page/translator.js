// When a drawing is turned into pictures: one at a time, and always the newest.

const PAUSE_MS = 12; // strokes come in bursts; what comes within this goes together
const BUSY_MS = 500;

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

export class Translator {
  // `translate(pixels, samples)` asks the back end, `take()` gives the pixels as they are now.
  constructor({ translate, take, made, failed }) {
    Object.assign(this, { translate, take, made, failed });
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
      await pause(PAUSE_MS);
      this.isWanted = false;
      const since = this.wantedAt;
      this.wantedAt = undefined;
      try {
        const pixels = this.take();
        await this.made({ pixels, since, ...(await this.translate(pixels, this.samples)) });
      } catch (error) {
        if (!error.isOvertaken) this.failed(error);
        if (error.isBusy) { this.isWanted = true; await pause(BUSY_MS); }
      }
    }
    this.isRunning = false;
  }
}
