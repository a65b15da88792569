// The list of runs, and the head of the one that is shown.
function showRuns() {
  const entries = state.runs.map((run) => ({ id: run.id, pipeline: run.pipeline, started: run.started, status: run.status, current: run.id === state.run }));
  renew(by("runs"), entries, (run) => run.id, ({ id }) => make("li", {}, make("button", { type: "button", onclick: () => choose(id) })), (item, run) => {
    const when = new Date(run.started * 1000).toLocaleString(document.documentElement.lang, { dateStyle: "short", timeStyle: "short" });
    item.firstChild.setAttribute("aria-current", String(run.current));
    item.firstChild.replaceChildren(make("b", {}, run.pipeline),
      make("small", {}, make("span", {}, when), make("span", { class: `st-${run.status}` }, say(run.status))));
  });
  by("no-runs").hidden = entries.length > 0;
}

function showHead() {
  const run = state.runs.find((one) => one.id === state.run);
  by("no-run").hidden = Boolean(run);
  by("shown").hidden = !run;
  if (!run) return;
  by("name").textContent = run.pipeline;
  by("status").textContent = say(run.status);
  by("status").className = `pill st-${run.status}`;
  by("reason").textContent = run.cancelling ? say("cancel_asked") : run.reason;
  by("reason").hidden = !by("reason").textContent;
  by("cancel").hidden = !(page.may_change && run.lives && !run.cancelling);
  by("gallery").hidden = run.lives;
  by("gallery").lastChild.textContent = `speedpix-pipe report ${run.id} --open`;
  showRedoFailed();
  showTime();
}

function showTime() {
  const run = state.runs.find((one) => one.id === state.run);
  if (!run) return;
  const seconds = run.seconds ?? (run.lives ? Date.now() / 1000 - run.started : null);
  by("byline").textContent = [run.id, run.service, seconds === null ? "" : duration(seconds)].filter(Boolean).join(" · ");
}

let told = "";
function showCounts() {
  const sum = { running: 0 };
  let total = 0, done = 0;
  for (const step of Object.values(state.now.steps)) {
    total += step.total;
    done += step.done;
    sum.running += step.running;
    for (const [status, count] of Object.entries(step.counts)) sum[status] = (sum[status] ?? 0) + count;
  }
  if (state.runs.find((one) => one.id === state.run)?.lives === false) sum.running = 0;  // it died: nobody is at it
  bars(by("progress"), sum, total);
  const whole = say("done_of", { done: number(done), total: number(total) });
  const parts = STATUSES.filter((status) => sum[status]).map((status) => make("span", { class: `st-${status}` }, `${number(sum[status])} ${say(status)}`));
  by("counts").replaceChildren(make("span", {}, state.now.caught_up ? whole : `${whole} · ${say("reading")}`), ...parts);
  const tenth = total ? `${Math.floor((10 * done) / total)}` : "";  // spoken at every tenth, not at every task
  if (tenth !== told) by("said").textContent = whole;
  told = tenth;
}

function choose(id) {
  if (location.hash !== `#${id}`) location.hash = id;
  else follow(id);
}

by("cancel").addEventListener("click", () => by("sure").showModal());
by("no-cancel").addEventListener("click", () => by("sure").close());
by("yes-cancel").addEventListener("click", async () => {
  by("sure").close();
  try {
    await ask(`/api/runs/${state.run}/cancel`, { method: "POST" });
    toast(say("cancel_asked"));
  } catch (error) {
    toast(say("refused", { reason: error.message }));
  }
});
setInterval(showTime, 1000);
