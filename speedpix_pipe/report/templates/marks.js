// Picks and rejects: remembered for this run, and exported as the list that `runs redo --from-file` reads.
const marksName = `speedpix-marks-${data.run.id}`;
const marks = new Map(Object.entries(JSON.parse(store(marksName) ?? "{}")));
const markSigns = { picked: "✓", rejected: "✕", reseed: "⟳" };
const markWords = { picked: words.pick, rejected: words.reject, reseed: words.reseed };
const paidSteps = new Set(tasks.filter((task) => task.id).map((task) => task.s)); // only there a seed means something
const kindsOf = (task) => Object.keys(markSigns).filter((kind) => kind !== "reseed" || paidSteps.has(task.s));
const LONGEST_COMMAND = 600;

function markButton(task, kind, told = "") {
  return make("button", {
    type: "button", class: "mark", "data-mark": kind, "data-of": task.number, "aria-pressed": String(marks.get(nameOf(task)) === kind),
    "aria-label": `${markWords[kind]}: ${nameOf(task)}`, title: kind === "reseed" ? words.reseed_title : markWords[kind],
    on: { click: () => setMark(task, kind) },
  }, told ? `${markSigns[kind]} ${told}` : markSigns[kind]);
}

const markButtons = (task, told = false) => kindsOf(task).map((kind) => markButton(task, kind, told ? markWords[kind] : ""));

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
function listOf(...kinds) {
  return tasks.filter((task) => kinds.includes(marks.get(nameOf(task))))
    .map((task) => (marks.get(nameOf(task)) === "reseed" ? "new-seed: " : "") + nameOf(task).replace(/[\r\n]+/g, "*"));
}

function saveList(kind, list) {
  const text = list.map((line) => `${line}\n`).join("");
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "text/plain" })), download: `${kind}-${data.run.id}.txt` });
  document.body.append(link);
  link.click();
  link.remove();
}

function markGroup(kind, list) {
  if (!list.length) return null;
  const reseeded = list.filter((line) => line.startsWith("new-seed: ")).length;
  return make("div", {},
    make("strong", {}, say(`${kind}_count`, { count: list.length })), reseeded > 0 && make("span", { class: "muted" }, say("reseed_count", { count: reseeded })),
    make("button", { type: "button", "data-save": kind, on: { click: () => saveList(kind, list) } }, words.save_list),
    make("button", { type: "button", on: { click: (event) => copy(list.join("\n"), event.currentTarget) } }, words.copy_list));
}

// A few tasks are named in the command itself; more go through the list, wherever the browser saved it.
function redoCommand(list) {
  const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const direct = [commands.redo, ...list.map(quoted)].join(" ");
  return direct.length <= LONGEST_COMMAND ? command(words.redo_marked, direct) : command(words.redo_saved, commands.marked);
}

function drawMarks() {
  const bar = byId("marks");
  const picked = listOf("picked"), rejected = listOf("rejected", "reseed");
  bar.hidden = !picked.length && !rejected.length;
  bar.replaceChildren(make("div", { class: "lists" }, markGroup("picked", picked), markGroup("rejected", rejected),
    make("button", { type: "button", class: "clear", on: { click: clearMarks } }, words.clear_marks)),
  ...(rejected.length ? [redoCommand(rejected)] : []));
}

function clearMarks() {
  const marked = tasks.filter((task) => marks.has(nameOf(task)));
  marks.clear();
  store(marksName, "{}");
  marked.forEach(refreshMarks);
  drawMarks();
}
drawMarks();
