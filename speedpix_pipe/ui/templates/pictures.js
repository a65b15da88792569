// The newest pictures, as they land, and what failed last. Elements of pictures that stay are kept: nothing flickers.
const shown = new Map();

function showPictures() {
  const wanted = (state.now?.pictures ?? []).filter((file) => !state.step || file.task.startsWith(`${state.step}@`));
  const first = shown.size === 0;
  const items = wanted.map((file) => {
    const name = `${file.task} ${file.sha256}`;
    if (!shown.has(name)) shown.set(name, card(file, !first));
    return [name, shown.get(name)];
  });
  const kept = new Set(items.map(([name]) => name));
  for (const name of shown.keys()) if (!kept.has(name)) shown.delete(name);
  const list = by("pictures");
  items.forEach(([, item], at) => { if (list.children[at] !== item) list.insertBefore(item, list.children[at] ?? null); });
  while (list.children.length > items.length) list.lastChild.remove();
  by("no-pictures").hidden = items.length > 0;
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
  by("failed").replaceChildren(...[...reasons].map(([message, tasks]) => make("li", {}, make("p", {}, message),
    ...tasks.map((task) => make("button", { type: "button", onclick: () => openTask(task) }, task)))));
}
