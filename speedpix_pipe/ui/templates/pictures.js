// The newest pictures, as they land, and what failed last.
function showPictures() {
  const wanted = (state.now?.pictures ?? []).filter((file) => !state.step || file.task.startsWith(`${state.step}@`));
  const list = by("pictures");
  const landing = list.children.length > 0;  // the first that are shown have been there before
  renew(list, wanted, (file) => `${file.task} ${file.sha256}`, (file) => card(file, landing), () => {});
  by("no-pictures").hidden = wanted.length > 0;
}

// The end of a key tells most: the file's name, the values of a matrix
function caption(task) {
  const [step, key] = [task.slice(0, task.indexOf("@")), task.slice(task.indexOf("@") + 1)];
  const name = key.slice(key.lastIndexOf("/", key.includes(",") ? key.indexOf(",") : key.length) + 1);
  return make("span", { class: "cap" }, name || step, make("small", {}, step));
}

function card(file, fresh) {
  const none = () => make("span", { class: "none" }, file.type);
  const picture = make("img", { src: `/small/${file.sha256}`, alt: "", loading: "lazy", decoding: "async", width: 160, height: 160 });
  picture.addEventListener("error", () => picture.replaceWith(none()));
  const item = make("li", fresh ? { class: "new" } : {},
    make("button", { type: "button", title: file.task, onclick: () => openTask(file.task) },
      /^(image|video)\//.test(file.type) ? picture : none(), caption(file.task)));
  return item;
}

// Equal reasons once, with the tasks that they hit
function showFailures() {
  const reasons = new Map();
  for (const failure of state.now.failures.filter((one) => !one.ignored).reverse()) {
    reasons.set(failure.message, [...(reasons.get(failure.message) ?? []), failure.task]);
  }
  by("failures").hidden = reasons.size === 0;
  renew(by("failed"), [...reasons], ([message]) => message,
    ([message]) => make("li", {}, make("p", {}, message), make("div", { class: "hit" })),
    (item, [, tasks]) => renew(item.lastChild, tasks, (task) => task,
      (task) => make("button", { type: "button", onclick: () => openTask(task) }, task), () => {}));
}
