// What changes comes by one stream, several times a second at most; every message says how things are, none how they were.
let source = null;

async function follow(run) {
  state.run = run;
  state.step = "";
  state.now = null;
  state.graph = [];
  by("pictures").replaceChildren();
  everyPicture = false;
  by("every-step").setAttribute("aria-pressed", "true");
  if (run) {
    try {
      state.graph = await ask(`/api/runs/${run}/graph`);
    } catch {
      state.graph = [];
    }
  }
  if (state.run !== run) return;
  drawGraph();
  showRuns();
  showHead();
  listen();
  loadTasks();
}

function listen() {
  source?.close();
  source = new EventSource(`/api/stream?${new URLSearchParams({ run: state.run })}`);
  source.addEventListener("open", () => { by("lost").hidden = true; });
  source.addEventListener("error", () => { by("lost").hidden = false; });
  source.addEventListener("runs", (event) => {
    state.runs = JSON.parse(event.data);
    if (!state.run && state.runs.length) choose(state.runs[0].id);
    showRuns();
    showHead();
  });
  source.addEventListener("run", (event) => {
    state.now = JSON.parse(event.data);
    showCounts();
    showSteps();
    showPictures();
    showFailures();
    refreshTasks();
  });
}

addEventListener("hashchange", () => follow(decodeURIComponent(location.hash.slice(1))));
follow(decodeURIComponent(location.hash.slice(1)));
