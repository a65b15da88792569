// Filters: which tasks fit, and therefore which rows are shown. With nothing chosen everything is.
const filters = { text: "", step: "", status: "", slow: false, mark: "", axes: {} };

function choice(label, options, act, name) {
  return make("select", { "aria-label": label, "data-filter": name, on: { change: (event) => { act(event.target.value); applyFilters(); } } },
    ...options.map(([value, text]) => make("option", { value }, text)));
}

function toggle(label, act) {
  return make("button", { type: "button", "aria-pressed": "false", on: { click: (event) => {
    const on = event.currentTarget.getAttribute("aria-pressed") !== "true";
    event.currentTarget.setAttribute("aria-pressed", String(on));
    act(on);
    applyFilters();
  } } }, label);
}

function drawFilters() {
  const form = byId("filters");
  const status = [...new Set(tasks.map((task) => task.st))];
  let pause;
  form.replaceChildren(
    make("input", { type: "search", id: "search", placeholder: words.search, "aria-label": words.search, autocomplete: "off", on: { input: (event) => {
      filters.text = event.target.value.trim().toLowerCase();
      clearTimeout(pause);
      pause = setTimeout(applyFilters, 120);
    } } }),
    ...(steps.length > 1 ? [choice(words.step, [["", words.all_steps], ...steps.map((step, number) => [String(number), step.name])],
      (value) => { filters.step = value; }, "step")] : []),
    ...(status.length > 1 ? [choice(words.status, [["", words.all_status], ...status.map((name) => [name, words[name]])],
      (value) => { filters.status = value; }, "status")] : []),
    ...Object.entries(axes).filter(([, values]) => values.length > 1).map(([axis, values]) =>
      choice(axis, [["", say("any", { axis })], ...values.map((value) => [`=${value}`, value])],
        (value) => { if (value) filters.axes[axis] = value.slice(1); else delete filters.axes[axis]; }, `axis-${axis}`)),
    choice(words.marks, [["", words.all_marks], ["picked", words.picked], ["rejected", words.rejected], ["reseed", words.reseed], ["none", words.unmarked]],
      (value) => { filters.mark = value; }, "mark"),
    ...(tasks.some(isSlow) ? [toggle(words.slow, (on) => { filters.slow = on; })] : []),
    make("button", { type: "reset" }, words.reset),
    make("span", { class: "sizes", role: "group", "aria-label": words.size }, ...["s", "m", "l"].map(sizeButton)),
  );
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => {
    clearTimeout(pause);
    Object.assign(filters, { text: "", step: "", status: "", slow: false, mark: "", axes: {} });
    for (const button of form.querySelectorAll('button[aria-pressed="true"]:not([data-size])')) button.setAttribute("aria-pressed", "false");
    applyFilters();
  });
}

function sizeButton(size) {
  return make("button", {
    type: "button", "data-size": size, "aria-label": `${words.size} ${size.toUpperCase()}`, "aria-pressed": String(size === (document.body.dataset.size ?? "m")),
    on: { click: () => {
      document.body.dataset.size = size;
      store("speedpix-size", size);
      for (const other of document.querySelectorAll(".sizes button")) other.setAttribute("aria-pressed", String(other.dataset.size === size));
    } },
  }, size.toUpperCase());
}

function searchText(task) {
  return task.search ??= [labelOf(task.row), nameOf(task), task.why, task.id, JSON.stringify(task.in ?? ""), JSON.stringify(task.out ?? ""),
    ...task.f.map((number) => files[number].name)].join("\n").toLowerCase();
}

function fits(task) {
  if (filters.step !== "" && task.s !== Number(filters.step)) return false;
  if (filters.status && task.st !== filters.status) return false;
  for (const [axis, value] of Object.entries(filters.axes)) if (task.m[axis] !== value) return false;
  if (filters.slow && !isSlow(task)) return false;
  if (filters.mark && (marks.get(nameOf(task)) ?? "none") !== filters.mark) return false;
  return !filters.text || searchText(task).includes(filters.text);
}

function applyFilters() {
  const all = !filters.text && filters.step === "" && !filters.status && !filters.slow && !filters.mark && !Object.keys(filters.axes).length;
  let shown = 0;
  for (const row of rows) {
    row.fits = new Set(all ? row.tasks : row.tasks.filter(fits));
    row.element.hidden = !row.fits.size;
    if (row.fits.size && row.key) shown += 1; // the run's own results are no item
    narrowRow(row);
  }
  byId("shown").textContent = say("showing", { shown, total: rows.filter((row) => row.key).length });
  byId("nothing").hidden = rows.some((row) => row.fits.size);
}

document.body.dataset.size = store("speedpix-size") ?? "m";
drawFilters();
applyFilters();
byId("pictures").append(...rows.map((row) => row.element));
rows.forEach((row) => near.observe(row.element));
