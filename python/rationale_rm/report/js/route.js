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
  const known = (text) => (/^(\d+\.?\d*|\.\d+)$/.test(text ?? "") ? text : "");
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
let waiting = null; // an address whose time has not come

/** Makes `state` the address; `step` makes it one that the back button returns from.
 *
 * Other changes (a held key, a typed word) come too fast for an address each: the last one gets it.
 */
function setRoute(state, step) {
  const address = `#${routeOf(state)}`;
  if (step && waiting) history.replaceState(null, "", waiting); // what the step is from
  forgetRoute();
  if (step) {
    if (address !== location.hash) history.pushState(null, "", address);
    return;
  }
  waiting = address;
  later = setTimeout(() => {
    waiting = null;
    history.replaceState(null, "", address);
  }, 150);
}

/** Gives up the address that waits: another one has come. */
function forgetRoute() {
  clearTimeout(later);
  waiting = null;
}
