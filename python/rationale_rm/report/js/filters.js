// Which samples the columns leave: no text is looked at.

/** Rows that pass every filter but the search, in the order asked for. */
function filtered(store, state) {
  const run = state.run ? store.runs.indexOf(state.run) : null;
  const domain = state.domain ? store.domains.indexOf(state.domain) : null;
  const status = state.status ? store.statuses.indexOf(state.status) : null;
  const right = { right: 1, wrong: 0, none: null }[state.verdict];
  const flaw = state.flaw ? 1 << FLAWS.indexOf(state.flaw) : 0;
  const reasonClass = state.class ? 1 << CLASSES.indexOf(state.class) : 0;
  const low = state.low === "" ? null : Number(state.low);
  const high = state.high === "" ? null : Number(state.high);
  const rows = [];
  for (let row = 0; row < store.size; row++) {
    const rc = store.rc[row];
    if (run !== null && store.run[row] !== run) continue;
    if (domain !== null && store.domain[row] !== domain) continue;
    if (status !== null && store.status[row] !== status) continue;
    if (right !== undefined && store.right[row] !== right) continue;
    if (flaw && !(store.flaws[row] & flaw)) continue;
    if (reasonClass && !(store.classes[row] & reasonClass)) continue;
    if (low !== null && (rc === null || rc < low)) continue;
    if (high !== null && (rc === null || rc > high)) continue;
    rows.push(row);
  }
  return sorted(store, rows, state.sort);
}

/** Samples without an RC stand last either way. */
function sorted(store, rows, order) {
  if (order !== "rc" && order !== "-rc") return rows;
  const sign = order === "rc" ? 1 : -1;
  const value = (row) => (store.rc[row] === null ? Infinity : sign * store.rc[row]);
  return rows.sort((a, b) => value(a) - value(b) || a - b);
}
