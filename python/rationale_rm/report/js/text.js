// Texts of models and strangers: hidden characters are shown, directions kept apart, long ones cut.

const CUT = 20_000;
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;
const KEPT = new Set(["\n", "\t", "\u00ad", "\u200c", "\u200d"]); // line ends; what scripts and emoji are joined by

/** The text with every control, bidi and other invisible character as its code point: ⟦U+202E⟧. */
function visible(text) {
  return text.replaceAll("\r\n", "\n").replace(HIDDEN, (one) =>
    KEPT.has(one) ? one : `⟦U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟧`
  );
}

/** A short text within a line, its direction its own. */
const inline = (text, attributes = {}) => el("bdi", { dir: "auto", ...attributes }, visible(text));

/** A text in parts, cut at line ends where there are some, so that only parts in sight are laid out. */
function parts(text) {
  const found = [];
  for (let start = 0; start < text.length; ) {
    let end = Math.min(start + CUT, text.length);
    if (end < text.length) end = Math.max(text.lastIndexOf("\n", end), text.lastIndexOf(" ", end), start + CUT / 2) + 1;
    found.push(el("div", { class: "part-of-text" }, text.slice(start, end)));
    start = end;
  }
  return found;
}

/** A text of any length; the first `CUT` characters until all are asked for. */
function block(text, attributes = {}) {
  const body = el("div", { class: "text", dir: "auto", ...attributes });
  if (text.length <= CUT) {
    body.append(visible(text));
    return body;
  }
  body.append(visible(text.slice(0, CUT)));
  body.dataset.cut = `(cut here: ${text.length.toLocaleString("en")} characters)`; // paper shows no button
  const more = button(`Show all ${text.length.toLocaleString("en")} characters`, () => {
    body.replaceChildren(...parts(visible(text)));
    delete body.dataset.cut;
    more.remove();
    body.tabIndex = -1;
    body.focus();
  });
  return el("div", {}, body, more);
}

/** A figure as papers print it: .75, 1.00; a dash where there is none. */
function figure(value, digits = 2) {
  if (value === null || value === undefined) return "–";
  const text = value.toFixed(digits);
  return text.startsWith("0.") ? text.slice(1) : text;
}
