// The address is the state: what follows # says view, filters and sample, so that links and the back button work.

const EMPTY = {
  view: "samples", q: "", run: "", domain: "", verdict: "", status: "", class: "", flaw: "", low: "", high: "",
  sort: "", sample: "",
};
const FILTERS = ["q", "run", "domain", "verdict", "status", "class", "flaw", "low", "high", "sort"];

/** The state that the address names; an address without "=" is a place among the figures. */
function readRoute() {
  const hash = location.hash.slice(1);
  if (!hash.includes("=")) return { ...EMPTY, view: "figures", place: hash };
  const given = new URLSearchParams(hash);
  const state = { ...EMPTY };
  for (const name of Object.keys(EMPTY)) if (given.has(name)) state[name] = given.get(name);
  const [low, high] = (given.get("rc") ?? "..").split("..");
  const known = (text) => (text && Number.isFinite(Number(text)) ? text : "");
  return { ...state, low: known(low), high: known(high), place: "" };
}

function routeOf(state) {
  const given = new URLSearchParams();
  if (state.view !== "samples") return "view=figures";
  given.set("view", "samples");
  for (const name of [...FILTERS, "sample"]) {
    if (state[name] && name !== "low" && name !== "high") given.set(name, state[name]);
  }
  if (state.low || state.high) given.set("rc", `${state.low}..${state.high}`);
  return given.toString();
}

let later = 0;

/** Makes `state` the address; `step` makes it one that the back button returns from.
 *
 * Other changes (a held key, a typed word) come too fast for an address each: the last one gets it.
 */
function setRoute(state, step) {
  clearTimeout(later);
  const address = `#${routeOf(state)}`;
  if (step && address !== location.hash) history.pushState(null, "", address);
  if (!step) later = setTimeout(() => history.replaceState(null, "", address), 150);
}
