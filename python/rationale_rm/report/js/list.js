// The list of samples: only the rows in sight are elements.

const ROW = 58; // pixels; css/browser.css has the same
const SPARE = 6; // rows above and below

class List {
  constructor(store, choose) {
    this.store = store;
    this.rows = [];
    this.chosen = null;
    this.box = byId("list");
    this.inner = byId("rows");
    this.box.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(this.box);
    this.inner.addEventListener("click", (event) => {
      const row = event.target.closest("[data-row]");
      if (row) choose(Number(row.dataset.row));
    });
  }

  /** Shows these rows. */
  show(rows, fromTop) {
    this.rows = rows;
    this.inner.style.height = `${rows.length * ROW}px`;
    if (fromTop) this.box.scrollTop = 0;
    this.draw();
  }

  /** Marks a row, and scrolls to it where it is out of sight. */
  choose(row) {
    this.chosen = row;
    const place = this.rows.indexOf(row);
    if (place >= 0) {
      const top = place * ROW;
      const height = this.box.clientHeight;
      const above = this.box.scrollTop - top;
      const below = top + ROW - this.box.scrollTop - height;
      if (Math.max(above, below) > 2 * ROW) this.box.scrollTop = top - height / 3;
      else if (above > 0) this.box.scrollTop = top;
      else if (below > 0) this.box.scrollTop += below;
    }
    this.draw();
  }

  /** The row `by` places after the chosen one; the first, or the last for Infinity, where none is chosen. */
  neighbour(by) {
    const place = this.rows.indexOf(this.chosen);
    if (place < 0 && by !== Infinity) return this.rows[0];
    return this.rows[Math.min(this.rows.length - 1, Math.max(0, place + by))];
  }

  draw() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / ROW) - SPARE);
    const last = Math.min(this.rows.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / ROW) + SPARE);
    const shown = [];
    for (let place = first; place < last; place++) shown.push(this.item(place));
    this.inner.replaceChildren(...shown);
    const inSight = this.rows.slice(first, last).includes(this.chosen);
    if (inSight) this.box.setAttribute("aria-activedescendant", `row-${this.chosen}`);
    else this.box.removeAttribute("aria-activedescendant");
  }

  item(place) {
    const { store } = this;
    const row = this.rows[place];
    const title = store.values.title[store.pair[row]];
    const made = el(
      "div",
      {
        class: "row", id: `row-${row}`, role: "option", "data-row": row, "aria-selected": String(row === this.chosen),
        "aria-setsize": this.rows.length, "aria-posinset": place + 1,
      },
      el("span", { class: "first" }, verdictMark(store.right[row]), inline(title || store.id[row], { class: "name", title: visible(store.id[row]) }), rcBar(store.rc[row])),
      el(
        "span", { class: "second" },
        inline(store.runs[store.run[row]], { class: "name" }), " · ", inline(store.value("domain", row)),
        store.swapped[row] ? el("span", { class: "class", title: "the model saw response 2 first" }, "swapped") : "",
        store.names("flaws", row, FLAWS).map((flaw) => el("span", { class: "flaw" }, flaw)),
        store.value("status", row) !== "ok" && el("span", { class: "flaw" }, spaced(store.value("status", row)))
      )
    );
    made.style.top = `${place * ROW}px`;
    return made;
  }
}

const spaced = (text) => visible(text).replaceAll("_", " ");

/** Right, wrong or neither, by sign and word. */
function verdictMark(right) {
  const [sign, word] = right === 1 ? ["✓", "right"] : right === 0 ? ["✗", "wrong"] : ["–", "no answer or label"];
  return el("span", { class: `mark ${right === 1 ? "right" : right === 0 ? "wrong" : ""}` }, el("span", { "aria-hidden": "true" }, sign), el("span", { class: "unseen" }, word));
}

function rcBar(rc) {
  const bar = el("span", { class: "bar", "aria-hidden": "true" }, el("i"));
  bar.firstChild.style.width = `${100 * (rc ?? 0)}%`;
  return el("span", { class: "rc" }, bar, el("span", { class: "unseen" }, "RC "), el("span", {}, figure(rc)));
}
