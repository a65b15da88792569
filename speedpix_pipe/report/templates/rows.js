// A row per item: its input, then what each step made of it. Rows are filled when they come near the screen.
function fillRow(row) {
  if (row.filled) return;
  row.filled = true;
  const strip = make("div", { class: "strip" });
  if (row.in.length) {
    strip.append(make("div", { class: "group" }, make("h4", {}, words.input),
      make("div", { class: "cards" }, ...row.in.map((number) => inputCard(row, number)))));
  }
  const groups = new Map();
  for (const task of row.tasks) groups.set(task.s, [...(groups.get(task.s) ?? []), task]);
  for (const [step, of] of groups) {
    strip.append(make("div", { class: "group", "data-step": step }, make("h4", {}, steps[step].name),
      make("div", { class: "cards" }, ...of.map(taskCard))));
  }
  row.element.append(strip);
  if (row.fits) narrowRow(row);
}

function narrowRow(row) {
  if (!row.filled) return;
  for (const card of row.element.querySelectorAll("[data-card]")) {
    card.hidden = !row.fits.has(tasks[card.dataset.card]);
  }
  for (const group of row.element.querySelectorAll("[data-step]")) {
    group.hidden = !group.querySelector("[data-card]:not([hidden])");
  }
}

function rowNote(row) {
  const seconds = row.tasks.reduce((sum, task) => sum + (task.st === "succeeded" ? task.sec ?? 0 : 0), 0);
  const bad = row.tasks.filter((task) => task.st === "failed").length;
  return [bad && `${bad} ${words.failed}`, seconds && duration(seconds)].filter(Boolean).join(" · ");
}

const near = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    near.unobserve(entry.target);
    fillRow(rows[entry.target.dataset.row]);
  }
}, { rootMargin: "900px 0px" });

for (const row of rows) {
  row.element = make("article", { class: "row", "data-row": row.number, "aria-labelledby": `row-${row.number}` },
    make("h3", { id: `row-${row.number}` }, labelOf(row), make("small", {}, rowNote(row))));
}

function showTask(task) {
  fillRow(task.row);
  task.row.element.scrollIntoView({ block: "center" });
  const shot = task.row.element.querySelector(`[data-task="${task.number}"]`);
  if (shot && !shot.closest("[hidden]")) shot.focus({ preventScroll: true });
}
