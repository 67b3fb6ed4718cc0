// What readers of screens and keyboards need, and the theme leaves out.
for (const caption of document.querySelectorAll("p.caption[role=heading]")) caption.setAttribute("aria-level", "2");
document.querySelector("aside.sidebar-drawer")?.setAttribute("aria-label", "Pages");
document.querySelector("aside.toc-drawer")?.setAttribute("aria-label", "On this page");
// The page of the search is the one without a heading.
if (!document.querySelector("h1")) {
  const heading = document.createElement("h1");
  heading.textContent = "Search";
  document.querySelector("article")?.prepend(heading);
}
// What scrolls can be scrolled with the keyboard too: it takes the focus where it is larger than its place.
function letKeyboardsScroll() {
  for (const box of document.querySelectorAll("article pre, article .table-wrapper")) {
    if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}
letKeyboardsScroll();
addEventListener("resize", letKeyboardsScroll);
document.addEventListener("toggle", letKeyboardsScroll, true); // a folded part was opened or shut
