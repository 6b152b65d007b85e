// The page: its state, and what each change of it does.

const THEMES = ["system", "light", "dark"];
let theme = 0;
let state = readRoute();
let store = null;
let search = null;
let list = null;

function nextTheme() {
  theme = (theme + 1) % THEMES.length;
  const name = THEMES[theme];
  if (theme) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
  byId("theme-name").textContent = `Theme: ${name}`;
}

let figuresAt = 0; // how far the figures were scrolled when they were left

/** Shows the state; `state` has changed to it. */
function show(scroll) {
  const samples = state.view === "samples";
  const before = document.body.dataset.view;
  if (before === "figures") figuresAt = scrollY;
  document.body.dataset.view = state.view;
  byId("samples").hidden = !samples;
  byId("figures").hidden = samples;
  byId("to-figures").toggleAttribute("aria-current", false);
  byId("to-samples").toggleAttribute("aria-current", false);
  byId(samples ? "to-samples" : "to-figures").setAttribute("aria-current", "page");
  if (!samples) {
    if (scroll && state.place) byId(state.place)?.scrollIntoView();
    else if (before === "samples") scrollTo(0, figuresAt);
    return;
  }
  if (!store) return;
  for (const name of FILTERS) {
    const field = byId("filters").elements[name];
    if (field.value !== state[name]) field.value = state[name];
    if (state[name] && (field.value !== state[name] || field.closest("label").hidden)) {
      // a link from another report: a filter that nobody sees must not hide samples
      unknown.push(`${name} ${visible(state[name])}`);
      state[name] = field.value = "";
    }
  }
  showFound();
  showChosen();
}

const unknown = []; // filters of the address that name nothing here
let shownFor = null; // the filters that the list shows

function showFound() {
  const filters = FILTERS.map((name) => state[name]).join("\u0000");
  if (filters === shownFor) {
    tell();
    return;
  }
  shownFor = filters;
  const rows = filtered(store, state);
  search.stop();
  if (state.q.trim() === "") {
    told = [rows.length, 1];
    list.show(rows, true);
    tell();
    return;
  }
  told = [0, 0];
  tell();
  let first = true;
  const searched = search.find(state.q, rows, (found, share) => {
    told = [found.length, share];
    const marked = list.rows.includes(list.chosen);
    list.show(found, first);
    if (!marked) list.choose(list.chosen); // the sample of a link turns up
    first = false;
    tell();
  });
  searched.catch((error) => say(`The texts cannot be searched: ${visible(String(error?.message ?? error))}`));
}

let told = [0, 1]; // how many samples the filters leave, and what share was searched

function tell() {
  const [n, share] = told;
  const counted = (number) => number.toLocaleString("en");
  const all = `${counted(store.size)} ${store.size === 1 ? "sample" : "samples"}`;
  const found = n === store.size ? all : `${counted(n)} of ${all}`;
  const left = unknown.length ? `; not in this report: ${unknown.join(", ")}` : "";
  say((share < 1 ? `${found}, searching ${Math.round(100 * share)}%` : found) + left, share === 1);
}

function say(text, done = true) {
  byId("state").textContent = text;
  byId("state").dataset.done = String(done);
}

function showChosen() {
  const row = state.sample === "" ? undefined : store.rows.get(state.sample);
  const article = byId("sample");
  const focused = article.contains(document.activeElement); // and loses the focus with what it holds now
  document.body.dataset.open = String(state.sample !== "");
  list.choose(row ?? null);
  if (row === undefined) {
    article.dataset.row = "";
    const choice = store.size ? "Choose a sample from the list: j and k go through it." : "This report has no samples.";
    const message = state.sample ? "This report has no such sample." : choice;
    article.replaceChildren(button("‹ List", back, { class: "back" }), el("p", { class: "none" }, message));
    if (focused) byId(state.sample ? "sample" : "list").focus();
    return;
  }
  if (article.dataset.row === String(row)) {
    highlight(article, state.q);
    return;
  }
  article.dataset.row = String(row);
  const address = (other) => `#${routeOf({ ...state, sample: store.keys[other] })}`;
  showSample(store, row, address, back).then(
    () => {
      highlight(article, state.q);
      if (focused) article.focus();
    },
    (error) => {
      // never the sample before it under this address
      if (article.dataset.row !== String(row)) return;
      const message = `This sample cannot be shown: ${visible(String(error?.message ?? error))}`;
      article.replaceChildren(button("‹ List", back, { class: "back" }), el("p", { class: "none" }, message));
    }
  );
}

function go(changes, step) {
  unknown.length = 0;
  state = { ...state, ...changes };
  setRoute(state, step);
  show(false);
}

function choose(row, step) {
  if (row === undefined) return false;
  go({ view: "samples", sample: store.keys[row] }, step);
  if (byId("list").offsetParent === null) byId("sample").focus(); // on a phone the sample takes the list's place
  return true;
}

function back() {
  go({ sample: "" }, true);
  byId("list").focus();
}

function move(by) {
  if (state.view !== "samples" || !list) return false;
  choose(list.neighbour(by), state.sample === "");
}

/** A key that moves where the list has the focus, and scrolls as ever elsewhere. */
const onList = (by) => (event) => (event.target === byId("list") || (event.target === document.body && by ** 2 === 1)) && move(by);

function fillFilters() {
  const { run, domain, status } = byId("filters").elements;
  const options = (field, values) => field.append(...values.map((value) => el("option", { value }, value)));
  options(run, store.runs);
  options(domain, store.domains);
  if (store.domains.some((one) => /^step \d+$/.test(one))) domain.previousElementSibling.textContent = "Domain or step";
  status.append(...store.statuses.map((value) => el("option", { value }, spaced(value))));
  const labelled = (column) => store[column].some((mask) => mask);
  hideUnlessUseful("run", store.runs.length > 1);
  hideUnlessUseful("domain", store.domains.length > 1);
  hideUnlessUseful("status", store.statuses.length > 1);
  hideUnlessUseful("class", labelled("classes"));
  hideUnlessUseful("flaw", labelled("flaws"));
}

/** A filter that cannot tell samples apart is left out. */
function hideUnlessUseful(name, useful) {
  byId("filters").elements[name].closest("label").hidden = !useful;
}

function listenToFilters() {
  const form = byId("filters");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => go({ [event.target.name]: event.target.value }, event.target.tagName === "SELECT"));
  byId("clear").addEventListener("click", () => {
    const cleared = Object.fromEntries(FILTERS.map((name) => [name, ""]));
    form.reset();
    go(cleared, true);
  });
}

function escape(event) {
  if (event.target.closest("#filters")) byId("list").focus();
  else if (state.view === "samples" && state.sample) back();
  else return false;
}

function help() {
  byId("help").showModal();
}

/** On paper the numbers of each figure are open; afterwards they are as they were. */
function printTables() {
  const closed = [...document.querySelectorAll("figure details:not([open])")];
  for (const one of closed) one.open = true;
  addEventListener("afterprint", () => { for (const one of closed) one.open = false; }, { once: true });
}

async function begin() {
  addEventListener("beforeprint", printTables);
  byId("theme").addEventListener("click", nextTheme);
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address is the state
    byId("main").focus();
  });
  byId("help-open").addEventListener("click", help);
  byId("help-close").addEventListener("click", () => byId("help").close());
  addEventListener("hashchange", () => {
    forgetRoute();
    unknown.length = 0;
    state = readRoute();
    show(true);
  });
  listenToKeys({
    j: () => move(1), k: () => move(-1),
    ArrowDown: onList(1), ArrowUp: onList(-1), Home: onList(-Infinity), End: onList(Infinity),
    Enter: () => (state.view === "samples" && state.sample ? byId("sample").focus() : false),
    "/": () => {
      if (state.view !== "samples") go({ view: "samples" }, true);
      byId("filters").elements.q.focus();
    },
    f: () => go({ view: "figures", place: "" }, true),
    s: () => go({ view: "samples" }, true),
    t: nextTheme, "?": help, Escape: escape,
  });
  nameMarks();
  show(true);
  store = await Store.open();
  search = new Search(store);
  list = new List(store, (row) => choose(row, true));
  fillFilters();
  listenToFilters();
  show(true);
  document.body.dataset.ready = "true";
}

begin().catch((error) => {
  say(`The samples cannot be read: ${visible(String(error?.message ?? error))}`);
  document.body.dataset.ready = "false";
});
