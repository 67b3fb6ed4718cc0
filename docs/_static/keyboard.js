// What scrolls to the side can be scrolled with the keyboard too: it gets the focus where it is wider than its place.
function letKeyboardsScroll() {
  for (const one of document.querySelectorAll("article pre, article .table-wrapper")) {
    if (one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight) one.tabIndex = 0;
  }
}
addEventListener("DOMContentLoaded", letKeyboardsScroll);
addEventListener("resize", letKeyboardsScroll);
