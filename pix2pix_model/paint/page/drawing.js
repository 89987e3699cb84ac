// A drawing: what it began with, the items painted on it in order, and its past and future. States never change, so
// undoing is going back to one.

const MOST_STATES = 300;

let lastId = 0;

export function newItem(item) {
  return { id: ++lastId, ...item };
}

export class Drawing {
  constructor(paper, base) {
    this.paper = paper;
    this.state = { base, items: [] };
    this.past = [];
    this.future = [];
    this.live = null; // an item that is being drawn, or one in place of that with its id
    this.kept = { base: null, items: [], pixels: null };
    this.changed = () => {};
  }

  get items() {
    return this.state.items;
  }

  find(id) {
    return this.items.find((item) => item.id === id);
  }

  begin(base) {
    this.go({ base, items: [] });
  }

  add(item) {
    this.go({ base: this.state.base, items: [...this.items, item] });
  }

  replace(item) {
    this.go({ base: this.state.base, items: this.items.map((one) => (one.id === item.id ? item : one)) });
  }

  remove(id) {
    this.go({ base: this.state.base, items: this.items.filter((one) => one.id !== id) });
  }

  show(item) {
    this.live = item;
    this.changed({ live: true });
  }

  go(state) {
    this.past = [...this.past.slice(-MOST_STATES), this.state];
    this.future = [];
    this.settle(state);
  }

  undo() {
    if (!this.past.length) return;
    this.future = [this.state, ...this.future];
    this.settle(this.past.pop());
  }

  redo() {
    if (!this.future.length) return;
    this.past = [...this.past, this.state];
    const [next, ...future] = this.future;
    this.future = future;
    this.settle(next);
  }

  settle(state) {
    this.state = state;
    this.live = null;
    this.changed({ live: false });
  }

  // The pixels as they are to be seen now.
  pixels() {
    const place = this.live ? this.items.findIndex((item) => item.id === this.live.id) : -1;
    const below = place < 0 ? this.items.length : place;
    const pixels = this.prefix(below).slice();
    const above = place < 0 ? [] : this.items.slice(place + 1);
    for (const item of this.live ? [this.live, ...above] : above) this.paper.paint(pixels, item, this.state.base);
    return pixels;
  }

  // The first items painted, kept for the next time: most changes only add to them.
  prefix(count) {
    const wanted = this.items.slice(0, count);
    const { kept } = this;
    const fits = kept.base === this.state.base && kept.items.length <= count && kept.items.every((item, i) => item === wanted[i]);
    const pixels = fits ? kept.pixels : this.state.base.slice();
    for (const item of fits ? wanted.slice(kept.items.length) : wanted) this.paper.paint(pixels, item, this.state.base);
    this.kept = { base: this.state.base, items: wanted, pixels };
    return pixels;
  }
}
