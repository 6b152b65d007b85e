// Keys. Letters are left to fields while one is typed in, and to the browser with Ctrl, Alt or Meta.

function listenToKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    if (byId("help").open) return; // the dialog has its own Esc
    const field = event.target.closest("input, select, textarea");
    if (field && event.key !== "Escape") return;
    const onControl = event.target.closest("a, button, summary");
    if (onControl && (event.key === "Enter" || event.key === " ")) return;
    const action = actions[event.key];
    if (action && action(event) !== false) event.preventDefault();
  });
}
