// Search in the texts, a chunk at a time, so that the page answers meanwhile and shows what is found so far.

const LOWERED_LIMIT = 250e6; // characters that are kept for the next search
const SLICE = 12; // milliseconds of work before the page may do something else

class Search {
  constructor(store) {
    this.store = store;
    this.kept = new Map(); // chunk → its texts in lower case
    this.size = 0;
    this.turn = 0;
  }

  /** Gives up the search under way. */
  stop() {
    this.turn++;
  }

  /** Calls `found(rows, share, done)` as rows turn up whose texts hold every word of `query`. */
  async find(query, rows, found) {
    const turn = ++this.turn;
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    const hits = new Set();
    const byChunk = new Map();
    for (const row of rows) {
      const chunk = this.store.chunk[row];
      if (byChunk.has(chunk)) byChunk.get(chunk).push(row);
      else byChunk.set(chunk, [row]);
    }
    let began = performance.now();
    let done = 0;
    for (const [chunk, members] of byChunk) {
      const texts = this.kept.get(chunk) ?? (await this.lowered(chunk));
      if (turn !== this.turn) return;
      const first = this.store.firsts.get(chunk);
      for (const row of members) {
        const { own, pair } = texts.answers[row - first];
        if (words.every((word) => own.includes(word) || texts.pairs[pair].includes(word))) hits.add(row);
      }
      done++;
      if (performance.now() - began > SLICE) {
        found(rows.filter((row) => hits.has(row)), done / byChunk.size, false);
        await new Promise((next) => setTimeout(next));
        if (turn !== this.turn) return;
        began = performance.now();
      }
    }
    found(rows.filter((row) => hits.has(row)), 1, true);
  }

  async lowered(chunk) {
    const { pairs, samples } = await this.store.content(chunk);
    const first = this.store.firsts.get(chunk);
    const texts = {
      pairs: pairs.map((pair) => lower([messages(pair.context), pair.response1, pair.response2, pair.references])),
      answers: samples.map((answer, place) => ({
        own: lower([this.store.keys[first + place], this.store.value("pair", first + place), answer.text, answer.reasons]),
        pair: answer.pair,
      })),
    };
    const size = [...texts.pairs, ...texts.answers.map((one) => one.own)].reduce((sum, one) => sum + one.length, 0);
    if (this.size + size <= LOWERED_LIMIT && !this.kept.has(chunk)) {
      this.kept.set(chunk, texts);
      this.size += size;
    }
    return texts;
  }
}

const lower = (texts) => texts.flat().filter(Boolean).join("\n").toLowerCase();

/** The texts of a prompt, which is one text or a list of messages. */
function messages(context) {
  return typeof context === "string" ? [context] : context.map((one) => content(one));
}

/** The text of a message; other content than text as JSON. */
function content(message) {
  return typeof message.content === "string" ? message.content : JSON.stringify(message.content ?? message);
}
