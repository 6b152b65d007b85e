// One sample, with all that a person needs to judge it.

/** Fills the article; `links` gives the address of another sample, `back` returns to the list. */
async function showSample(store, row, address, back) {
  const article = byId("sample");
  const sample = await store.sample(row);
  if (article.dataset.row !== String(row)) return; // another one was chosen meanwhile
  article.replaceChildren(
    el(
      "header", {},
      button("‹ List", back, { class: "back" }),
      el("h3", {}, inline(store.id[row])),
      el("p", { class: "where" }, inline(store.runs[store.run[row]]), " · ", inline(store.value("domain", row)), " · pair ", inline(store.value("pair", row)))
    ),
    facts(store, row, sample),
    el("section", { class: "part" }, el("h3", {}, "Reasons"), matching(sample), scoreTable(sample)),
    el("section", { class: "part" }, el("h3", {}, "Prompt"), prompt(sample.context)),
    (sample.response1 || sample.response2) ? responses(sample, store, row) : "",
    sample.text === null ? "" : el("section", { class: "part" }, el("h3", {}, "The model's answer"), block(sample.text)),
    others(store, row, address)
  );
  article.scrollTop = 0;
}

function facts(store, row, sample) {
  const label = store.value("label", row);
  const verdict = store.value("verdict", row);
  const status = store.value("status", row);
  const fact = (name, ...value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
  return el(
    "dl", { class: "facts" },
    fact("Verdict", verdictMark(store.right[row]), " ", verdict === null ? "none" : visible(verdict)),
    fact("Label", label === null ? "none" : visible(label)),
    fact("RC", figure(store.rc[row], 3)),
    fact("AP", figure(sample.ap, 3)),
    fact("Answer", status === "ok" ? "read" : spaced(status)),
    fact("Judge", sample.judge_status === null ? "not asked" : spaced(sample.judge_status)),
    fact("Order", store.swapped[row] ? "the model saw response 2 first, as A" : "response 1 is A"),
    sample.error && fact("Error", inline(sample.error))
  );
}

function prompt(context) {
  if (typeof context === "string") return block(context);
  return el("div", {}, context.map((message) =>
    el("div", { class: "message" }, el("p", { class: "role" }, inline(typeof message.role === "string" ? message.role : "message")), block(content(message)))
  ));
}

function responses(sample, store, row) {
  const label = store.value("label", row) ?? "";
  const better = label.startsWith("A>") ? 1 : label.startsWith("B>") ? 2 : 0;
  const called = (number) => ((number === 1) === (store.swapped[row] === 0) ? "A" : "B");
  const author = (number) => (sample.authors.length ? el("small", {}, "by ", inline(sample.authors[number - 1]), ", ") : "");
  const one = (number) =>
    el(
      "section", { class: "response" },
      el("h3", {}, `Response ${number} `, author(number), el("small", {}, `the model's ${called(number)}${better === number ? ", better by the label" : ""}`)),
      block(sample[`response${number}`])
    );
  return el("div", { class: "responses" }, one(1), one(2));
}

function others(store, row, address) {
  const found = store.others(row);
  if (!found.length) return "";
  const shown = found.slice(0, 30).map((other) =>
    el("li", {}, el("a", { href: address(other) }, verdictMark(store.right[other]), " ", inline(store.runs[store.run[other]]), " · ", inline(store.id[other])), ` RC ${figure(store.rc[other])}`)
  );
  const rest = found.length > shown.length ? el("li", {}, `and ${found.length - shown.length} more`) : null;
  return el("section", { class: "part" }, el("h3", {}, "Other answers to this pair"), el("ul", { class: "others" }, shown, rest));
}
