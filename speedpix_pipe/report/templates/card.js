// One picture with its caption: an input, or what a task made of it.
function picture(number, empty) {
  const place = make("span", { class: empty.includes("\n") ? "empty lines" : "empty" }, empty);
  const holder = make("span", { class: "holder" }, place);
  holder.style.display = "contents";
  if (number === undefined) return holder;
  const file = files[number];
  if (file.kind === "video" && file.src) {
    const film = make("video", { src: `${file.src}#t=0.01`, preload: "metadata", muted: true, loop: true, playsinline: true, tabindex: "-1", "aria-hidden": "true" });
    film.muted = true; // the attribute alone does not mute what a program made
    film.addEventListener("error", () => film.replaceWith(place));
    place.replaceWith(film);
    holder.append(playSign());
    return holder;
  }
  withThumbnail(number, (made) => {
    if (!made.src) return;
    const image = make("img", { src: made.src, alt: "", draggable: "false", decoding: "async" });
    place.replaceWith(image);
    if (!made.animated) return;
    Object.assign(image.dataset, { still: made.src, moving: file.src ?? made.src });
    holder.append(playSign());
  });
  return holder;
}

const playSign = () => make("span", { class: "play", "aria-hidden": "true" }, "▶");

// What moves does so under the pointer and the keyboard's focus, unless the reader wants no motion
function play(shot, on) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (const image of shot.querySelectorAll("img[data-moving]")) image.src = on ? image.dataset.moving : image.dataset.still;
  for (const film of shot.querySelectorAll("video")) if (on) film.play().catch(() => {}); else film.pause();
}
for (const [event, on] of [["pointerenter", true], ["pointerleave", false], ["focus", true], ["blur", false]]) {
  document.addEventListener(event, ({ target }) => { if (target instanceof Element && target.matches(".shot")) play(target, on); }, true);
}

function chips(task) {
  return Object.entries(task.m).map(([axis, value]) => make("span", { class: "chip", title: `${axis}=${value}` }, value));
}

// Values as a person would note them down: a line each, without the signs of JSON
function told(value) {
  if (value === null || typeof value !== "object") return String(value);
  return Object.entries(value).map(([name, inner]) => `${name}: ${inner !== null && typeof inner === "object" ? JSON.stringify(inner) : inner}`).join("\n");
}

function emptyText(task) {
  if (task.why) return task.why.length > 110 ? `${task.why.slice(0, 110)}…` : task.why;
  if (task.out !== undefined) {
    const text = typeof task.out === "string" ? task.out : told(task.out);
    return text.length > 150 ? `${text.slice(0, 150)}…` : text;
  }
  return task.f.length ? files[task.f[0]].name : words[task.st];
}

function badge(task) {
  const many = task.f.length > 1 ? `${task.f.length}` : "";
  if (task.st === "cached") return [words.cached, many].filter(Boolean).join(" · ");
  if (task.st === "succeeded") return many;
  return task.st === "failed" && task.ign ? `${words.failed}, ${words.ignored}` : words[task.st];
}

function timeOf(task) {
  if (task.st !== "succeeded" || task.sec === undefined) return null;
  return make("span", { class: isSlow(task) ? "time slow" : "time" }, duration(task.sec));
}

function taskCard(task) {
  const parts = [steps[task.s].name, labelOf(task.row), ...Object.values(task.m), words[task.st]];
  const sign = badge(task);
  const shot = make("button", {
    type: "button", class: "shot", "aria-label": parts.join(", "), "data-task": task.number,
    on: { click: () => openViewer(task.row, taskShot(task)) },
  }, picture(task.f[0], emptyText(task)), sign && make("span", { class: "badge", "aria-hidden": "true" }, sign));
  const state = isBad(task) ? "bad" : task.f.length || task.out !== undefined ? "" : "idle";
  return make("figure", { class: `card ${state} ${marks.get(nameOf(task)) ?? ""}`, "data-card": task.number }, shot,
    make("figcaption", { class: "caption" }, make("span", { class: "chips" }, ...chips(task)), timeOf(task),
      ...markButtons(task)));
}

function inputCard(row, number) {
  const name = files[number].name;
  return make("figure", { class: "card" },
    make("button", {
      type: "button", class: "shot", "aria-label": `${words.input}, ${name}`,
      on: { click: () => openViewer(row, inputShot(number)) },
    }, picture(number, name)),
    make("figcaption", { class: "caption" }, make("span", { class: "chips", title: name }, name.split("/").pop())));
}
