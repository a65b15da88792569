// One picture with its caption: an input, or what a task made of it.
function picture(number, empty) {
  const place = make("span", { class: "empty" }, empty);
  const holder = make("span", { class: "holder" }, place);
  holder.style.display = "contents";
  if (number === undefined) return holder;
  withThumbnail(number, (made) => {
    if (!made.src) return;
    place.replaceWith(make("img", { src: made.src, alt: "", draggable: "false", decoding: "async" }));
    if (made.animated) holder.append(make("span", { class: "badge", "aria-hidden": "true" }, "▶"));
  });
  return holder;
}

function chips(task) {
  return Object.entries(task.m).map(([axis, value]) => make("span", { class: "chip", title: `${axis}=${value}` }, value));
}

function emptyText(task) {
  if (task.why) return task.why.length > 110 ? `${task.why.slice(0, 110)}…` : task.why;
  if (task.out !== undefined) {
    const text = typeof task.out === "string" ? task.out : JSON.stringify(task.out);
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
      markButton(task, "picked"), markButton(task, "rejected")));
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
