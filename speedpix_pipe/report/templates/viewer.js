// The viewer: one picture large, zoomed, or beside what it was made from; how it was made, and with what.
const inputShot = (number) => `input ${number}`;
const taskShot = (task, place = 0) => `task ${task.number} ${place}`;
const viewer = byId("viewer");
const view = { row: null, shots: [], at: 0, compare: false, before: null, split: 50, scale: 1, x: 0, y: 0, opener: null };

function shotsOf(row) {
  const inputs = row.in.map((number) => ({ id: inputShot(number), file: number, title: words.input, name: files[number].name }));
  const made = row.tasks.filter((task) => row.fits.has(task)).flatMap((task) =>
    (task.f.length ? task.f : [undefined]).map((file, place) => ({ id: taskShot(task, place), task, file, title: steps[task.s].name, name: nameOf(task) })));
  return [...inputs, ...made];
}

// Two tasks of an item belong together where they have the same values on the axes of both, and one lies below the other.
function related(a, b) {
  for (const [axis, value] of Object.entries(a.m)) if (axis in b.m && b.m[axis] !== value) return false;
  const baseA = a.b ?? a.row.key, baseB = b.b ?? b.row.key;
  const below = (low, high, key) => low === high || low.startsWith(`${high}/`) || low.startsWith(`${key}/`);
  return below(baseA, baseB, b.k) || below(baseB, baseA, a.k);
}

function lineage(shot) {
  return view.shots.filter((other) => !other.task || !shot.task || other.task === shot.task
    || (steps[shot.task.s].kin.includes(other.task.s) && other.task.s !== shot.task.s && related(other.task, shot.task)));
}

function openViewer(row, id) {
  const opener = viewer.open ? view.opener : document.activeElement;
  const shots = shotsOf(row);
  Object.assign(view, { row, shots, at: Math.max(0, shots.findIndex((shot) => shot.id === id)), before: null, opener });
  if (!viewer.open) viewer.showModal();
  showShot();
}

function moveShot(by, focus) {
  const at = view.at + by;
  if (at >= 0 && at < view.shots.length) { view.at = at; showShot(focus); } else moveRow(Math.sign(by), focus);
}

function moveRow(by, focus) {
  const shownRows = rows.filter((row) => row.fits.size);
  const next = shownRows[shownRows.indexOf(view.row) + by];
  if (!next) return;
  const like = view.shots[view.at];
  const shots = shotsOf(next);
  const same = shots.findIndex((shot) => (like.task ? shot.task && shot.task.s === like.task.s
    && Object.entries(like.task.m).every(([axis, value]) => shot.task.m[axis] === value) : !shot.task));
  Object.assign(view, { row: next, shots, at: Math.max(0, same), before: null });
  showShot(focus);
}

function stagePicture(number, name) {
  const file = files[number];
  if (file.kind === "video") {
    return make("video", { src: file.src, controls: true, loop: true, muted: true, autoplay: true, playsinline: true, "aria-label": name });
  }
  const image = make("img", { alt: name, draggable: "false" });
  withThumbnail(number, (made) => { if (made.src && !image.src) image.src = made.src; });
  if (file.src && (file.kind ?? "image") === "image") {
    const full = new Image();
    full.onload = () => { image.src = full.src; };
    full.onerror = () => byId("missing")?.removeAttribute("hidden");
    full.src = file.src;
  } else byId("missing")?.removeAttribute("hidden");
  return image;
}

function beforeShot(shot) {
  const others = lineage(shot).filter((other) => other !== shot && other.file !== undefined && files[other.file].kind === undefined);
  return { others, chosen: others.find((other) => other.id === view.before) ?? others[0] };
}

// The stage is drawn anew for each picture; `focus` says which of its controls the reader was using.
function showShot(focus = ".close") {
  const shot = view.shots[view.at];
  const { others, chosen } = beforeShot(shot);
  const comparing = view.compare && chosen && shot.file !== undefined;
  Object.assign(view, { scale: 1, x: 0, y: 0 });
  const sheet = make("div", { class: "sheet" });
  const stage = make("div", { class: "stage" }, sheet,
    make("button", { type: "button", class: "step back", "aria-label": words.previous, on: { click: () => moveShot(-1, ".step.back") } }, "‹"),
    make("button", { type: "button", class: "step on", "aria-label": words.next, on: { click: () => moveShot(1, ".step.on") } }, "›"),
    controls(comparing, Boolean(chosen) && shot.file !== undefined, shot));
  viewer.replaceChildren(make("div", { class: "view" }, stage, about(shot, others, chosen)));
  const readable = shot.file !== undefined && !["text", "application"].includes(files[shot.file].kind);
  if (readable) sheet.append(stagePicture(shot.file, shot.name));
  else sheet.append(make("div", { class: "text", tabindex: "0" }, shot.task ? longText(shot.task) : shot.name));
  if (comparing) {
    const before = stagePicture(chosen.file, chosen.name);
    before.classList.add("before");
    sheet.append(before, make("div", { class: "divider" }));
    stage.append(make("span", { class: "side-label left" }, chosen.task ? chosen.title : words.before), make("span", { class: "side-label right" }, shot.title));
    setSplit(view.split);
  }
  moveSheet();
  watchStage(stage, comparing);
  (viewer.querySelector(focus) ?? viewer.querySelector(".close")).focus();
}

function longText(task) {
  if (task.why) return task.why;
  if (task.out === undefined) return task.f.length ? files[task.f[0]].name : words.no_file;
  return typeof task.out === "string" ? task.out : JSON.stringify(task.out, null, 2);
}

function controls(comparing, comparable, shot) {
  const press = (label, text, act, extra = {}) => make("button", { type: "button", "aria-label": label, title: label, ...extra, on: { click: act } }, text);
  return make("div", { class: "controls" },
    comparable && press(words.compare, "◫", toggleCompare, { "aria-pressed": String(Boolean(comparing)), id: "compare" }),
    comparing && make("input", { type: "range", min: "0", max: "100", step: "0.5", value: String(view.split), id: "split", "aria-label": words.slider,
      on: { input: (event) => setSplit(Number(event.target.value)) } }),
    shot.file !== undefined && press(`${words.zoom} −`, "−", () => zoomBy(1 / 1.5)),
    shot.file !== undefined && press(words.fit, "⤢", () => zoomBy(0)),
    shot.file !== undefined && press(`${words.zoom} +`, "+", () => zoomBy(1.5)));
}

function toggleCompare() { view.compare = !view.compare; showShot("#compare"); }

function setSplit(percent) {
  view.split = Math.max(0, Math.min(100, percent));
  const before = viewer.querySelector(".before");
  if (!before) return;
  before.style.clipPath = `inset(0 ${100 - view.split}% 0 0)`;
  viewer.querySelector(".divider").style.left = `${view.split}%`;
  const slider = byId("split");
  if (Number(slider.value) !== view.split) slider.value = String(view.split);
}

function moveSheet() {
  viewer.querySelector(".sheet").style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
  viewer.querySelector(".stage").classList.toggle("zoomed", view.scale > 1);
}

// `factor` 0 fits the picture again; `point` (from the middle of the stage) stays where it is.
function zoomBy(factor, point = { x: 0, y: 0 }) {
  const scale = factor ? Math.max(1, Math.min(16, view.scale * factor)) : 1;
  const ratio = scale / view.scale;
  view.x = scale === 1 ? 0 : point.x - (point.x - view.x) * ratio;
  view.y = scale === 1 ? 0 : point.y - (point.y - view.y) * ratio;
  view.scale = scale;
  moveSheet();
}

function watchStage(stage, comparing) {
  const fingers = new Map();
  let spread = 0, began = null;
  const middle = () => stage.querySelector(".sheet");
  const fromMiddle = (event) => {
    const box = stage.getBoundingClientRect(), sheet = middle();
    return { x: event.clientX - box.left - sheet.offsetLeft - sheet.offsetWidth / 2, y: event.clientY - box.top - sheet.offsetTop - sheet.offsetHeight / 2 };
  };
  const splitAt = (event) => {
    const box = middle().getBoundingClientRect();
    setSplit(((event.clientX - box.left) / box.width) * 100);
  };
  stage.addEventListener("wheel", (event) => { event.preventDefault(); zoomBy(Math.exp(-event.deltaY / 300), fromMiddle(event)); }, { passive: false });
  stage.addEventListener("dblclick", (event) => { if (event.target.closest(".sheet, .stage") && !event.target.closest("button, input")) zoomBy(view.scale > 1 ? 0 : 2.5, fromMiddle(event)); });
  stage.addEventListener("pointerdown", (event) => {
    if (event.target.closest("button, input, video, .text")) return;
    stage.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event);
    spread = 0;
    began = event;
    if (comparing && view.scale === 1 && fingers.size === 1) splitAt(event);
  });
  stage.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    const last = fingers.get(event.pointerId);
    fingers.set(event.pointerId, event);
    const [a, b] = [...fingers.values()];
    if (b) {
      const now = Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
      if (spread) zoomBy(now / spread, fromMiddle({ clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2 }));
      spread = now;
    } else if (view.scale > 1) {
      view.x += event.clientX - last.clientX;
      view.y += event.clientY - last.clientY;
      moveSheet();
    } else if (comparing) splitAt(event);
  });
  const lift = (event) => {
    const alone = fingers.delete(event.pointerId) && !fingers.size && began?.pointerId === event.pointerId;
    const swept = alone && event.type === "pointerup" && event.pointerType === "touch" ? event.clientX - began.clientX : 0;
    if (Math.abs(swept) > 60 && view.scale === 1 && !comparing && !spread) moveShot(swept < 0 ? 1 : -1);
  };
  stage.addEventListener("pointerup", lift);
  stage.addEventListener("pointercancel", lift);
}

function about(shot, others, chosen) {
  const { task } = shot;
  const file = shot.file === undefined ? null : files[shot.file];
  const rest = task && task.f.length > 1 ? ` ${task.f.indexOf(shot.file) + 1}/${task.f.length}` : "";
  const size = make("dd", { id: "pixels" });
  if (file) withThumbnail(shot.file, (made) => { size.textContent = made.width ? `${made.width} × ${made.height}` : "–"; });
  return make("aside", { class: "about", "aria-label": words.details },
    make("div", { class: "head" },
      make("h2", { id: "viewer-title" }, `${shot.title}${rest} · ${labelOf(view.row)}`),
      make("button", { type: "button", class: "quiet close", "aria-label": words.close, on: { click: () => viewer.close() } }, "✕")),
    task && make("p", {}, ...chips(task)),
    make("div", { class: "acts" }, ...(task ? markButtons(task, true) : []),
      file?.src && make("a", { href: file.src, target: "_blank", rel: "noopener noreferrer" }, words.open_file)),
    make("p", { id: "missing", class: "muted", hidden: true }, words.missing),
    task?.why && make("p", { class: "why" }, task.why),
    make("h3", {}, words.lineage),
    make("ul", { class: "line" }, ...lineage(shot).map((other) => lineButton(other, shot))),
    view.compare && others.length > 1 && make("h3", {}, words.compare_with),
    view.compare && others.length > 1 && make("select", { "aria-label": words.compare_with, on: { change: (event) => { view.before = event.target.value; showShot(".about select"); } } },
      ...others.map((other) => make("option", { value: other.id, selected: other === chosen }, [other.title, ...Object.values(other.task?.m ?? {})].join(", ")))),
    make("h3", {}, words.details),
    make("dl", {}, ...facts(shot, file).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]),
      ...(file ? [make("dt", {}, words.pixels), size] : [])),
    task?.in !== undefined && make("h3", {}, words.parameters),
    task?.in !== undefined && make("dl", {}, ...Object.entries(Object(task.in)).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, folded(value))])));
}

function lineButton(other, shot) {
  return make("li", {}, make("button", {
    type: "button", "aria-current": other === shot ? "true" : null, "aria-label": [other.title, ...Object.values(other.task?.m ?? {})].join(", "),
    on: { click: () => { view.at = view.shots.indexOf(other); showShot('.line [aria-current="true"]'); } },
  }, make("span", { class: "small" }, picture(other.file, other.task ? words[other.task.st] : "")),
  make("span", { class: "cap" }, [other.title, ...Object.values(other.task?.m ?? {})].join(" · "))));
}

function facts({ task, name }, file) {
  if (!task) return [[words.input, name]];
  const cached = { twin: words.from_twin, resumed: words.from_before }[task.src] ?? words.from_cache;
  return [
    [words.key, nameOf(task)],
    [words.status, task.st === "cached" ? cached : words[task.st] + (task.ign ? `, ${words.ignored}` : "")],
    task.by && [words.blame, task.by],
    task.sec !== undefined && [words.took, duration(task.sec) + (task.n ? `, ${say("attempts", { count: task.n })}` : "")],
    task.svc !== undefined && [words.on_service, duration(task.svc)],
    task.p !== undefined && [words.price, String(task.p)],
    task.id && [words.prediction, task.id],
    file && [words.files, file.name],
  ].filter(Boolean);
}

function folded(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 1);
  if (text.length < 240) return text;
  const place = make("span", {}, `${text.slice(0, 200)}… `);
  place.append(make("button", { type: "button", on: { click: () => place.replaceChildren(text) } }, words.show_all_text));
  return place;
}

viewer.addEventListener("close", () => {
  const shot = view.shots[view.at];
  viewer.replaceChildren();
  if (shot?.task) showTask(shot.task); else view.opener?.focus();
});
