// The samples: columns for filters at once, texts chunk by chunk when they are asked for.

const FLAWS = ["F1", "F2", "F3", "F4", "F5", "F6", "F7"];
const CLASSES = ["EG", "CG", "GS"];
const OPEN_CHUNKS = 32;

const parsed = new Promise((done) => {
  if (document.readyState !== "loading") done();
  else document.addEventListener("DOMContentLoaded", done, { once: true });
});

async function inflate(base64) {
  const packed = atob(base64);
  const bytes = new Uint8Array(packed.length);
  for (let place = 0; place < packed.length; place++) bytes[place] = packed.charCodeAt(place);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

const named = (text) => visible(text) || "(empty)";

class Store {
  static async open() {
    return new Store(await inflate(byId("index").textContent));
  }

  constructor(index) {
    Object.assign(this, index);
    this.size = index.id.length;
    this.runs = index.runs.map(visible);
    this.domains = index.values.domain.map(named);
    this.statuses = index.values.status.map(named);
    this.firsts = new Map(); // chunk → its first row
    this.rows = new Map(); // key → row
    this.keys = []; // what links name samples by
    for (let row = 0; row < this.size; row++) {
      if (!this.firsts.has(this.chunk[row])) this.firsts.set(this.chunk[row], row);
      const key = this.named(row);
      this.keys.push(this.rows.has(key) ? `${key}~${row}` : key); // ids may differ in hidden characters alone
      this.rows.set(this.keys[row], row);
    }
    this.opened = new Map(); // chunk → promise of its content, the oldest first
  }

  named(row) {
    const run = this.runs[this.run[row]].replace(/[%/]/g, encodeURIComponent); // what stands before the first "/"
    return `${run}/${visible(this.id[row])}`;
  }

  value(column, row) {
    return this.values[column][this[column][row]];
  }

  names(column, row, list) {
    return list.filter((_, place) => this[column][row] & (1 << place));
  }

  async content(chunk) {
    if (!byId(`chunk-${chunk}`)) await parsed;
    return inflate(byId(`chunk-${chunk}`).textContent);
  }

  /** Everything about one sample. */
  async sample(row) {
    const chunk = this.chunk[row];
    const content = this.opened.get(chunk) ?? this.content(chunk);
    this.opened.delete(chunk);
    this.opened.set(chunk, content);
    if (this.opened.size > OPEN_CHUNKS) this.opened.delete(this.opened.keys().next().value);
    const { pairs, samples } = await content;
    const answer = samples[row - this.firsts.get(chunk)];
    return { ...answer, ...pairs[answer.pair] };
  }

  /** Other answers to the same pair; answers to a pair are neighbours. */
  others(row) {
    const found = [];
    for (let other = row - 1; other >= 0 && this.pair[other] === this.pair[row]; other--) found.unshift(other);
    for (let other = row + 1; other < this.size && this.pair[other] === this.pair[row]; other++) found.push(other);
    return found;
  }
}
