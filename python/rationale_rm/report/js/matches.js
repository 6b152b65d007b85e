// Human reasons, model reasons, and the matches between them: lines for the eye, words at each reason for everyone.

/** The two lists. `sample` has references, reasons, scores, matches, classes, flaws. */
function matching(sample) {
  const byReference = new Map(sample.matches.map(([reference, reason, score]) => [reference, [reason, score]]));
  const byReason = new Map(sample.matches.map(([reference, reason, score]) => [reason, [reference, score]]));
  const judged = sample.judge_status === "ok" || sample.matches.length > 0;
  const human = sample.references.map((text, place) => reasonItem("R", place, text, matchWords("S", byReference.get(place), judged), []));
  const model = sample.reasons.map((text, place) => {
    const labels = [sample.classes[place], ...(sample.flaws[place] ?? [])].filter(Boolean);
    return reasonItem("S", place, text, matchWords("R", byReason.get(place), judged), labels);
  });
  const lines = svg("svg", { class: "lines", "aria-hidden": "true", focusable: "false" });
  const made = el(
    "div", { class: "matching" },
    column("Human reasons", human, "No human reasons in the data."), lines,
    column("Model's reasons, in its order", model, "The model gave no reasons.")
  );
  const draw = () => drawLines(lines, human, model, sample);
  new ResizeObserver(draw).observe(made);
  for (const item of [...human, ...model]) {
    item.addEventListener("pointerenter", () => emphasise(lines, item, true));
    item.addEventListener("pointerleave", () => emphasise(lines, item, false));
  }
  return made;
}

function column(title, items, none) {
  return el("section", {}, el("h4", {}, title), items.length ? el("ol", { class: "reasons" }, items) : el("p", { class: "none" }, none));
}

function reasonItem(letter, place, text, match, labels) {
  return el(
    "li", { "data-side": letter, "data-place": place, class: match.matched ? "matched" : null },
    el("span", { class: "number" }, `${letter}${place + 1}`),
    el("div", {}, block(text), el("p", { class: "tags" }, el("span", { class: "match" }, match.words), labels.map(label)))
  );
}

function matchWords(letter, match, judged) {
  if (!match) return { matched: false, words: judged ? "no match" : "not judged" };
  return { matched: true, words: `matches ${letter}${match[0] + 1}, score ${figure(match[1])}` };
}

const label = (code) => el("span", { class: /^F/.test(code) ? "flaw" : "class" }, visible(code));

function drawLines(lines, human, model, sample) {
  const box = lines.getBoundingClientRect();
  lines.replaceChildren();
  if (box.width === 0) return; // on a phone the words alone say it
  lines.setAttribute("viewBox", `0 0 ${box.width} ${box.height}`);
  const height = (item) => {
    const place = item.getBoundingClientRect();
    return place.top + Math.min(place.height / 2, 24) - box.top;
  };
  const matched = new Set(sample.matches.map(([reference, reason]) => `${reference} ${reason}`));
  const rest = sample.scores.filter(([reference, reason, score]) => score > 0 && !matched.has(`${reference} ${reason}`));
  const entries = [...rest.map((one) => [...one, false]), ...sample.matches.map((one) => [...one, true])];
  for (const [reference, reason, score, chosen] of entries) {
    if (!human[reference] || !model[reason]) continue;
    const [from, to, middle] = [height(human[reference]), height(model[reason]), box.width / 2];
    lines.append(
      svg("path", {
        d: `M0,${from}C${middle},${from} ${middle},${to} ${box.width},${to}`,
        class: chosen ? "line chosen" : "line", "data-reference": reference, "data-reason": reason,
        "stroke-width": 1 + 2.5 * score,
      })
    );
    const beside = to < from ? from + 14 : from - 5; // where the line does not go
    if (chosen) lines.append(svg("text", { x: 6, y: beside, "data-reference": reference }, figure(score)));
  }
}

function emphasise(lines, item, on) {
  const side = item.dataset.side === "R" ? "reference" : "reason";
  for (const line of lines.querySelectorAll(`path[data-${side}="${item.dataset.place}"]`)) line.classList.toggle("strong", on);
}

/** All that the judge gave, as a table; null where that is only the matches. */
function scoreTable(sample) {
  if (sample.scores.length <= sample.matches.length) return null;
  const cells = new Map(sample.scores.map(([reference, reason, score]) => [`${reference} ${reason}`, score]));
  const chosen = new Set(sample.matches.map(([reference, reason]) => `${reference} ${reason}`));
  const head = el("tr", {}, el("td"), sample.reasons.map((_, reason) => el("th", { scope: "col" }, `S${reason + 1}`)));
  const rows = sample.references.map((_, reference) =>
    el("tr", {}, el("th", { scope: "row" }, `R${reference + 1}`), sample.reasons.map((_, reason) => {
      const key = `${reference} ${reason}`;
      return el("td", { class: chosen.has(key) ? "strong" : null }, figure(cells.get(key)));
    }))
  );
  return el(
    "details", { class: "folded" }, el("summary", {}, "All scores of the judge"),
    el("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Scores of the judge" }, el("table", {}, el("thead", {}, head), el("tbody", {}, rows)))
  );
}
