// Failures by reason, figures per step, and the time line of the run.
const statuses = ["succeeded", "cached", "failed", "unknown", "skipped", "cancelled", "open"];

function fault(group) {
  const shown = group.tasks.slice(0, 12).map((number) => tasks[number]);
  return make("div", { class: "fault" },
    make("p", {}, make("strong", { class: `st-${group.status}` }, `${group.tasks.length} × ${group.step}`),
      ` ${[words[group.status], words[`kind_${group.kind}`], group.ignored && `(${words.ignored})`].filter(Boolean).join(" ")}`),
    make("p", { class: "message", tabindex: group.message.length > 300 ? "0" : null }, group.message),
    make("ul", {}, ...shown.map((task) => make("li", {}, make("button", { type: "button", on: { click: () => showTask(task) } },
      [labelOf(task.row), ...Object.values(task.m)].join(", ")))),
    group.tasks.length > shown.length && make("li", { class: "muted" }, say("more", { count: group.tasks.length - shown.length }))));
}

// What failed, and the command for it; then what is unknown, and the command for that.
function drawFailures() {
  const place = byId("failures");
  if (!place) return;
  const unknown = data.failures.filter((group) => group.status === "unknown");
  const failed = data.failures.filter((group) => group.status !== "unknown");
  place.append(...failed.map(fault));
  if (failed.some((group) => !group.ignored)) place.append(command(words.retry, commands.retry));
  if (!unknown.length) return;
  if (failed.length) place.append(make("h3", {}, words.unknown_title));
  else byId("failures-title").textContent = words.unknown_title;
  place.append(...unknown.map(fault), make("p", { class: "muted" }, words.unknown_note), command(words.resend, commands.resend));
}

function countBar(step) {
  const space = "http://www.w3.org/2000/svg";
  const bar = document.createElementNS(space, "svg");
  const text = statuses.filter((name) => step.counts[name]).map((name) => `${step.counts[name]} ${words[name]}`).join(", ");
  for (const [name, value] of Object.entries({ viewBox: "0 0 1000 10", preserveAspectRatio: "none", role: "img", "aria-label": text })) bar.setAttribute(name, value);
  const title = document.createElementNS(space, "title");
  title.textContent = text;
  bar.append(title);
  let left = 0;
  for (const name of statuses.filter((status) => step.counts[status])) {
    const part = document.createElementNS(space, "rect");
    const width = (step.counts[name] / step.total) * 1000;
    for (const [key, value] of Object.entries({ x: left, y: 0, width, height: 10, class: name })) part.setAttribute(key, value);
    bar.append(part);
    left += width;
  }
  return bar;
}

// How long a task takes: as long as the slowest, dark up to the median; one scale for all steps.
function timeBar(step) {
  const space = "http://www.w3.org/2000/svg";
  const bar = document.createElementNS(space, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" })) bar.setAttribute(name, value);
  const most = Math.max(...steps.map(({ longest }) => longest ?? 0), 0.001);
  for (const name of ["longest", "median"]) {
    if (step[name] === null) continue;
    const part = document.createElementNS(space, "rect");
    for (const [key, value] of Object.entries({ x: 0, y: 0, width: Math.max(6, (step[name] / most) * 1000), height: 10, class: name })) part.setAttribute(key, value);
    bar.append(part);
  }
  return bar;
}

function drawSteps() {
  const priced = steps.some((step) => step.spent !== null || step.saved !== null);
  const heads = [["name", words.step], ["share", words.tasks], ["count", ""], ["times", words.per_task], ["number", words.median], ["number", words.slowest],
    ...(priced ? [["cost", words.cost]] : [])];
  const body = steps.map((step, number) => make("tr", {},
    make("td", { class: "name" }, make("button", { type: "button", on: { click: () => chooseStep(number) } }, step.name)),
    make("td", { class: "share" }, countBar(step)),
    make("td", { class: "count" }, String(step.total)),
    make("td", { class: "times" }, timeBar(step)),
    make("td", { class: "number" }, step.median === null ? "–" : duration(step.median)),
    make("td", { class: "number" }, step.longest === null ? "–" : duration(step.longest)),
    priced && make("td", { class: "cost" }, step.spent === null ? "–" : step.spent.toFixed(2))));
  byId("steps").append(make("table", {},
    make("thead", {}, make("tr", {}, ...heads.map(([name, text]) => text ? make("th", { scope: "col", class: name }, text) : make("td", { class: name })))),
    make("tbody", {}, ...body)));
}

// Open on a screen, closed on a phone, until the reader says otherwise
function keepFigures() {
  const part = byId("figures");
  part.open = (store("speedpix-figures") ?? (innerWidth > 820 ? "open" : "closed")) === "open";
  part.querySelector("summary").addEventListener("click", () => store("speedpix-figures", part.open ? "closed" : "open"));
}

function chooseStep(number) {
  const list = document.querySelector('[data-filter="step"]');
  if (list) { list.value = String(number); list.dispatchEvent(new Event("change")); }
  byId("pictures").scrollIntoView();
}

// A band per step, lanes within it; what does not fit into the lanes is drawn over the last one.
const timed = tasks.filter((task) => task.t0 !== undefined && task.t1 !== undefined);
const lanes = 7, laneHeight = 6, bandGap = 10;

function layTimeline() {
  const bands = steps.map(() => []);
  for (const task of [...timed].sort((a, b) => a.t0 - b.t0)) {
    const ends = bands[task.s];
    let lane = ends.findIndex((end) => end <= task.t0);
    if (lane < 0) lane = ends.length < lanes ? ends.length : lanes - 1;
    ends[lane] = Math.max(ends[lane] ?? 0, task.t1);
    task.lane = lane;
  }
  let top = 4;
  return bands.map((ends) => { const at = top; top += Math.max(2, ends.length) * laneHeight + bandGap; return { at, bottom: top }; });
}

function drawTimeline() {
  const place = byId("timeline");
  const end = timed.reduce((most, task) => Math.max(most, task.t1), 0.001);
  const bands = layTimeline();
  const height = bands[bands.length - 1].bottom + 18;
  const canvas = make("canvas", { role: "img", "aria-label": words.timeline_label });
  const tip = make("span", { class: "tip", hidden: true });
  place.replaceChildren(canvas, tip);
  const left = () => Math.min(110, place.clientWidth * 0.25);
  const scale = () => (place.clientWidth - left() - 8) / end;
  function paint() {
    const ratio = window.devicePixelRatio || 1;
    const width = place.clientWidth;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(name).trim();
    const colors = { succeeded: color("--ok"), cached: color("--cached"), failed: color("--bad"), unknown: color("--warn"), cancelled: color("--gone") };
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    steps.forEach((step, number) => {
      pen.fillStyle = color("--sunk");
      pen.fillRect(left(), bands[number].at - 3, width - left(), bands[number].bottom - bands[number].at - bandGap + 5);
      pen.fillStyle = color("--ink");
      let name = step.name;
      while (name.length > 2 && pen.measureText(name).width > left() - 12) name = `${name.slice(0, -2)}…`;
      pen.fillText(name, 0, (bands[number].at + bands[number].bottom - bandGap) / 2);
    });
    for (const task of timed) {
      pen.fillStyle = colors[task.st] ?? color("--skip");
      pen.fillRect(left() + task.t0 * scale(), bands[task.s].at + task.lane * laneHeight, Math.max(1.5, (task.t1 - task.t0) * scale() - 0.6), laneHeight - 1.5);
    }
    pen.fillStyle = color("--muted");
    const marksWanted = Math.max(2, Math.floor((width - left()) / 90));
    const rough = end / marksWanted, power = 10 ** Math.floor(Math.log10(rough));
    const each = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= rough);
    for (let at = 0; at <= end; at += each) {
      pen.textAlign = at ? "center" : "left";
      if (left() + at * scale() < width - 20) pen.fillText(duration(at), left() + at * scale(), height - 8);
    }
    pen.textAlign = "left";
  }
  function under(event) {
    const box = canvas.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    return timed.find((task) => {
      const from = left() + task.t0 * scale(), at = bands[task.s].at + task.lane * laneHeight;
      return x >= from - 1 && x <= Math.max(from + 3, left() + task.t1 * scale()) && y >= at - 1 && y <= at + laneHeight;
    });
  }
  canvas.addEventListener("mousemove", (event) => {
    const task = under(event);
    tip.hidden = !task;
    if (!task) return;
    tip.textContent = `${[labelOf(task.row), ...Object.values(task.m)].join(", ")} · ${words[task.st]} · ${duration(task.t1 - task.t0)}`;
    tip.style.left = `${Math.max(0, Math.min(event.offsetX + 12, place.clientWidth - tip.offsetWidth - 4))}px`;
    tip.style.top = `${event.offsetY + 16}px`;
  });
  canvas.addEventListener("mouseleave", () => { tip.hidden = true; });
  canvas.addEventListener("click", (event) => { const task = under(event); if (task) openViewer(task.row, taskShot(task)); });
  new ResizeObserver(paint).observe(place);
  window.addEventListener("themechange", paint);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
}

drawFailures();
drawSteps();
keepFigures();
if (timed.length) drawTimeline(); else byId("timeline-part").hidden = true;
const began = document.querySelector(".byline time");
if (began) began.textContent = new Date(began.dateTime).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", () => copy(button.previousElementSibling.textContent, button));
}
