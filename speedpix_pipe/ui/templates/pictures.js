// The newest pictures, as they land, and what failed last. A few rows of them, until somebody wants to see more.
const FEW = 24;
let everyPicture = false;

function showPictures() {
  const wanted = (state.now?.pictures ?? []).filter((file) => !state.step || file.task.startsWith(`${state.step}@`));
  const list = by("pictures");
  const landing = list.children.length > 0;  // the first that are shown have been there before
  const some = everyPicture ? wanted : wanted.slice(0, FEW);
  renew(list, some, (file) => `${file.task} ${file.sha256}`, (file) => card(file, landing), () => {});
  by("no-pictures").hidden = wanted.length > 0;
  by("more-pictures").hidden = some.length === wanted.length;
}
by("more-pictures").addEventListener("click", () => { everyPicture = true; showPictures(); });

// The end of a key tells most: the file's name, the values of a matrix
function caption(task) {
  const [step, key] = [task.slice(0, task.indexOf("@")), task.slice(task.indexOf("@") + 1)];
  const name = key.slice(key.lastIndexOf("/", key.includes(",") ? key.indexOf(",") : key.length) + 1);
  return make("span", { class: "cap" }, name || step, make("small", {}, step));
}

function card(file, fresh) {
  return make("li", fresh ? { class: "new" } : {},
    make("button", { type: "button", title: file.task, onclick: () => openTask(file.task) }, small(file), caption(file.task)));
}

function small(file) {
  const none = () => make("span", { class: "none" }, file.type);
  if (file.type.startsWith("video/")) {
    const film = make("video", { src: `/file/${file.sha256}#t=0.01`, preload: "metadata", tabindex: "-1", "aria-hidden": "true" });
    film.muted = true;
    film.addEventListener("error", () => film.replaceWith(none()));
    return film;
  }
  if (!file.type.startsWith("image/")) return none();
  const picture = make("img", { src: `/small/${file.sha256}`, alt: "", loading: "lazy", decoding: "async", width: 160, height: 160 });
  picture.addEventListener("error", () => picture.replaceWith(none()));
  return picture;
}

// Equal reasons once, with the tasks that they hit
function showFailures() {
  const reasons = new Map();
  const failures = state.now.failures.filter((one) => !one.ignored).reverse();
  for (const { message, status, task } of failures) {
    const reason = reasons.get(message) ?? { message, status, tasks: [] };
    reason.tasks.push(task);
    reasons.set(message, reason);
  }
  by("failures").hidden = reasons.size === 0;
  renew(by("failed"), [...reasons.values()], ({ message }) => message,
    ({ message, status }) => make("li", {}, make("p", {}, make("span", { class: `st-${status}` }, say(status)), ` ${message}`), make("div", { class: "hit" })),
    (item, { tasks }) => renew(item.lastChild, tasks, (task) => task,
      (task) => make("button", { type: "button", onclick: () => openTask(task) }, task), () => {}));
  showRedoFailed();
}

// While the run goes on its spec is locked, and what failed may yet be more
function showRedoFailed() {
  const run = state.runs.find((one) => one.id === state.run);
  const failed = state.now?.failures.some((one) => one.status === "failed" && !one.ignored);
  by("redo-failed").hidden = !(page.may_change && page.can_redo && run && !run.lives && failed);
}
by("redo-failed").addEventListener("click", () => again({ failed: true }));
