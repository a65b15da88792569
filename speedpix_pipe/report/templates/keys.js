// The keyboard, the theme, and the list of keys.
const help = byId("help");

function toggleTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  store("speedpix-theme", root.dataset.theme);
  window.dispatchEvent(new Event("themechange"));
}

function showHelp() {
  const keys = [["← ↑ → ↓", "key_arrows"], ["Enter", "key_enter"], ["c", "key_compare"], ["+ − 0", "key_zoom"], ["p x n", "key_marks"],
    ["/", "key_search"], ["t", "key_theme"], ["?", "key_help"]];
  help.replaceChildren(make("h2", { id: "help-title" }, words.help),
    make("dl", {}, ...keys.flatMap(([key, word]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, words[word])])),
    make("button", { type: "button", on: { click: () => help.close() } }, words.close));
  help.showModal();
}

function focusShot(by, sideways) {
  const now = document.activeElement.closest?.(".shot");
  if (!now) {
    const first = [...document.querySelectorAll(".row:not([hidden]) .card:not([hidden]) .shot")].find((shot) => shot.getBoundingClientRect().bottom > 80);
    first?.focus();
    return Boolean(first);
  }
  const row = now.closest(".row");
  const inRow = (element) => [...element.querySelectorAll(".card:not([hidden]) .shot")].filter((shot) => !shot.closest("[hidden]"));
  const shots = inRow(row), place = shots.indexOf(now);
  let next = sideways ? shots[place + by] : null;
  for (let other = row; !next && other;) {
    do other = by > 0 ? other.nextElementSibling : other.previousElementSibling; while (other?.hidden);
    if (!other) return true;
    fillRow(rows[other.dataset.row]);
    const there = inRow(other);
    next = sideways ? there[by > 0 ? 0 : there.length - 1] : there[Math.min(place, there.length - 1)];
  }
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
  return true;
}

function markByKey(task, key) {
  const kind = { p: "picked", x: "rejected", n: "reseed" }[key];
  if (!kind || !kindsOf(task).includes(kind)) return false;
  setMark(task, kind);
  return true;
}

const arrows = { ArrowRight: [1, true], ArrowLeft: [-1, true], ArrowDown: [1, false], ArrowUp: [-1, false] };

function viewerKey(event) {
  const shot = view.shots[view.at];
  if (event.target.matches("input, select") && (event.key in arrows)) return false;
  if (event.key in arrows) { const [by, sideways] = arrows[event.key]; if (sideways) moveShot(by); else moveRow(by); return true; }
  if (event.key === "c" && byId("compare")) { toggleCompare(); return true; }
  if (event.key === "+" || event.key === "=") { zoomBy(1.5); return true; }
  if (event.key === "-") { zoomBy(1 / 1.5); return true; }
  if (event.key === "0") { zoomBy(0); return true; }
  return Boolean(shot?.task) && markByKey(shot.task, event.key);
}

function pageKey(event) {
  if (event.key === "/") { byId("search").focus(); return true; }
  if (event.key === "?") { showHelp(); return true; }
  if (event.key === "t") { toggleTheme(); return true; }
  const card = document.activeElement.closest?.(".card[data-card]");
  if (card && markByKey(tasks[card.dataset.card], event.key)) return true;
  if (event.key in arrows && (document.activeElement.closest?.(".shot") || event.key === "ArrowRight")) return focusShot(...arrows[event.key]);
  return false;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.matches("input[type=search]")) {
    if (event.key === "Escape") { event.target.blur(); event.preventDefault(); }
    return;
  }
  if (event.target.matches("select") && !viewer.open) return;
  const done = viewer.open ? viewerKey(event) : help.open ? false : pageKey(event);
  if (done) event.preventDefault();
});

const theme = store("speedpix-theme");
if (theme) document.documentElement.dataset.theme = theme;
byId("theme").addEventListener("click", toggleTheme);
byId("help-open").addEventListener("click", showHelp);
