// Tasks by step, status and text, a page at a time. The list is asked for again while things happen, but gently.
let asked = 0, loadedAt = 0, following = null;

async function loadTasks(start = 0) {
  if (!state.run) return;
  const mine = ++asked;
  const run = state.run;
  loadedAt = performance.now();
  const query = new URLSearchParams({ step: state.step, status: by("with-status").value, text: by("with-text").value.trim(), start });
  let found;
  try {
    found = await ask(`/api/runs/${run}/tasks?${query}`);
  } catch {
    return;  // the stream says when the server is gone
  }
  if (mine !== asked || run !== state.run) return;
  const rows = found.tasks.map(row);
  if (start) by("tasks").append(...rows);
  else by("tasks").replaceChildren(...rows);
  following = found.next;
  by("more").hidden = following === null;
  by("no-tasks").hidden = by("tasks").children.length > 0;
}

function row(task) {
  return make("li", {}, make("button", { type: "button", onclick: () => openTask(task.task) },
    make("span", { class: "what" }, task.task), make("span", { class: `st-${task.status}` }, say(task.status)),
    ...(task.why ? [make("span", { class: "why" }, task.why)] : [])));
}

// Not while somebody reads on, is in the list, or has just been answered
function refreshTasks() {
  const busy = by("tasks").contains(document.activeElement) || by("tasks").children.length > 100;
  if (!busy && performance.now() - loadedAt > 2000) loadTasks();
}

let typing = 0;
by("with-text").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(() => loadTasks(), 200); });
by("with-status").addEventListener("change", () => loadTasks());
by("filter").addEventListener("submit", (event) => { event.preventDefault(); loadTasks(); });
by("more").addEventListener("click", () => loadTasks(following));
