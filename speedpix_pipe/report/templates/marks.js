// Picks and rejects: remembered for this run, and exported as the list that `runs redo --from-file` reads.
const marksName = `speedpix-marks-${data.run.id}`;
const marks = new Map(Object.entries(JSON.parse(store(marksName) ?? "{}")));
const markSigns = { picked: "✓", rejected: "✕" };

function markButton(task, kind) {
  return make("button", {
    type: "button", class: "mark", "data-mark": kind, "data-of": task.number, "aria-pressed": String(marks.get(nameOf(task)) === kind),
    "aria-label": `${kind === "picked" ? words.pick : words.reject}: ${nameOf(task)}`, title: kind === "picked" ? words.pick : words.reject,
    on: { click: () => setMark(task, kind) },
  }, markSigns[kind]);
}

function setMark(task, kind) {
  const name = nameOf(task);
  if (marks.get(name) === kind) marks.delete(name); else marks.set(name, kind);
  store(marksName, JSON.stringify(Object.fromEntries(marks)));
  refreshMarks(task);
  drawMarks();
}

function refreshMarks(task) {
  const now = marks.get(nameOf(task));
  for (const button of document.querySelectorAll(`.mark[data-of="${task.number}"]`)) {
    button.setAttribute("aria-pressed", String(button.dataset.mark === now));
  }
  const card = document.querySelector(`[data-card="${task.number}"]`);
  for (const kind of Object.keys(markSigns)) card?.classList.toggle(kind, kind === now);
}

// One step@key a line. A key may hold a line break, which a list cannot: there `*` stands for it, as redo allows.
function markedList(kind) {
  return tasks.filter((task) => marks.get(nameOf(task)) === kind).map((task) => nameOf(task).replace(/[\r\n]+/g, "*"));
}

function saveList(kind) {
  const text = markedList(kind).map((line) => `${line}\n`).join("");
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "text/plain" })), download: `${kind}-${data.run.id}.txt` });
  document.body.append(link);
  link.click();
  link.remove();
}

function markGroup(kind) {
  const list = markedList(kind);
  if (!list.length) return null;
  return make("div", {}, make("strong", {}, say(`${kind}_count`, { count: list.length })),
    make("button", { type: "button", "data-save": kind, on: { click: () => saveList(kind) } }, words.save_list),
    make("button", { type: "button", on: { click: (event) => copy(list.join("\n"), event.currentTarget) } }, words.copy_list));
}

function drawMarks() {
  const bar = byId("marks");
  const groups = ["picked", "rejected"].map(markGroup).filter(Boolean);
  bar.hidden = !groups.length;
  bar.replaceChildren(...groups);
  if (markedList("rejected").length) bar.append(command(words.redo_marked, commands.marked));
  if (groups.length) {
    bar.append(make("button", { type: "button", on: { click: () => {
      const marked = tasks.filter((task) => marks.has(nameOf(task)));
      marks.clear();
      store(marksName, "{}");
      marked.forEach(refreshMarks);
      drawMarks();
    } } }, words.clear_marks));
  }
}
drawMarks();
