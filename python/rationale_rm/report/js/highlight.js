// The words of the search, marked in the sample that is open, without touching its elements.

const MOST_MARKS = 2000;

function highlight(root, query) {
  if (!globalThis.Highlight) return; // browsers before 2025 may lack it
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const ranges = [];
  const nodes = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (words.length && nodes.nextNode() && ranges.length < MOST_MARKS) {
    const node = nodes.currentNode;
    const text = node.data.toLowerCase();
    if (text.length !== node.data.length || !node.parentElement.closest(".text")) continue;
    for (const word of words) {
      for (let at = text.indexOf(word); at >= 0 && ranges.length < MOST_MARKS; at = text.indexOf(word, at + word.length)) {
        const range = new Range();
        range.setStart(node, at);
        range.setEnd(node, at + word.length);
        ranges.push(range);
      }
    }
  }
  CSS.highlights.set("found", new Highlight(...ranges));
}
