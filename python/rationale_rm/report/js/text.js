// Texts of models and strangers: hidden characters are shown, directions kept apart, long ones cut.

const CUT = 20_000;
// Beside the categories: fillers, joiners and selectors that show nothing. Selectors of emoji (U+FE00 to U+FE0F) stay.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\u{e0100}-\u{e01ef}]/gu;
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
    if (end < text.length) end = seam(text, start + CUT / 2, end);
    found.push(el("div", { class: "part-of-text" }, text.slice(start, end)));
    start = end;
  }
  return found;
}

/** Where to part a text: after the last line end, else after the last space, else between two characters. */
function seam(text, from, to) {
  for (const mark of ["\n", " "]) {
    const at = text.lastIndexOf(mark, to - 1);
    if (at >= from) return at + 1;
  }
  return whole(text, to);
}

/** The place, or the one before it where a pair of surrogates would be parted. */
const whole = (text, at) => (text.codePointAt(at - 1) > 0xffff ? at - 1 : at);

/** A text of any length; the first `CUT` characters until all are asked for. */
function block(text, attributes = {}) {
  const body = el("div", { class: "text", dir: "auto", ...attributes });
  if (text.length <= CUT) {
    body.append(visible(text));
    return body;
  }
  body.append(visible(text.slice(0, whole(text, CUT))));
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
