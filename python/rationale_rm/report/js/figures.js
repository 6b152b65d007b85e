// Marks of the drawings say their figures under the pointer, as they say them to screen readers.

function nameMarks() {
  for (const mark of document.querySelectorAll(".drawing [aria-label][role='graphics-symbol']")) {
    if (!mark.closest(".role-axis")) mark.append(svg("title", {}, mark.getAttribute("aria-label")));
  }
}
