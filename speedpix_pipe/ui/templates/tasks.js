// Tasks by step, status and text, a page at a time. The list is asked for again while things happen, but gently.
let asked = 0, loadedAt = 0, following = null, listed = [];

async function loadTasks(start = 0) {
  if (!state.run) return;
  const mine = ++asked;
  const run = state.run;
  loadedAt = performance.now();
  by("tasks").setAttribute("aria-busy", "true");
  const query = new URLSearchParams({ step: state.step, status: by("with-status").value, text: by("with-text").value.trim(), start });
  let found = null;
  try {
    found = await ask(`/api/runs/${run}/tasks?${query}`);
  } catch {
    // the stream says when the server is gone
  }
  if (mine !== asked || run !== state.run) return;
  by("tasks").setAttribute("aria-busy", "false");
  if (!found) return;
  listed = start ? [...listed, ...found.tasks] : found.tasks;
  renew(by("tasks"), listed, (task) => task.task, row, fillRow);
  following = found.next;
  by("more").hidden = following === null;
  by("no-tasks").hidden = listed.length > 0;
}

const row = ({ task }) => make("li", {}, make("button", { type: "button", onclick: () => openTask(task) }));

function fillRow(item, task) {
  item.firstChild.replaceChildren(make("span", { class: "what" }, task.task), make("span", { class: `st-${task.status}` }, say(task.status)),
    ...(task.why ? [make("span", { class: "why" }, task.why)] : []));
}

// Two seconds after the last answer at the earliest, and then surely. Somebody who has read on keeps what is there, and
// a row that holds the focus must not be filtered away.
let renewal = 0;
function refreshTasks() {
  clearTimeout(renewal);
  renewal = setTimeout(() => {
    const held = by("with-status").value && by("tasks").contains(document.activeElement);
    if (!held && listed.length <= 100) loadTasks();
  }, Math.max(0, loadedAt + 2000 - performance.now()));
}
by("tasks").addEventListener("focusout", refreshTasks);

let typing = 0;
by("with-text").addEventListener("input", () => {
  by("tasks").setAttribute("aria-busy", "true");  // from the first letter on, what is shown is not what is asked for
  clearTimeout(typing);
  typing = setTimeout(() => loadTasks(), 200);
});
by("with-status").addEventListener("change", () => loadTasks());
by("filter").addEventListener("submit", (event) => { event.preventDefault(); loadTasks(); });
by("more").addEventListener("click", () => loadTasks(following));
