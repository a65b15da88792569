// The steps and how they feed each other: a column right of all that a step needs, a curve for each need.
const WIDE = 216, HIGH = 80, GAP_X = 56, GAP_Y = 16;
let nodes = {};

function drawGraph() {
  const rows = {};
  const place = {};
  const steps = [...state.graph, ...Object.keys(state.now?.steps ?? {}).filter((name) => !state.graph.some((node) => node.step === name))
    .map((name) => ({ step: name, needs: [], column: 0 }))];
  nodes = {};
  const field = make("div", { class: "field" });
  for (const { step, column } of steps) {
    rows[column] = rows[column] ?? 0;
    place[step] = { x: column * (WIDE + GAP_X), y: rows[column]++ * (HIGH + GAP_Y) };
    nodes[step] = node(step, place[step]);
    field.append(nodes[step].button);
  }
  const width = Math.max(0, ...steps.map(({ step }) => place[step].x)) + WIDE + 4;
  const height = Math.max(0, ...steps.map(({ step }) => place[step].y)) + HIGH + 4;
  field.style.width = `${width}px`;
  field.style.height = `${height}px`;
  const lines = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [name, value] of Object.entries({ class: "lines", width, height, "aria-hidden": "true" })) lines.setAttribute(name, value);
  for (const { step, needs } of steps) for (const needed of needs) if (place[needed]) lines.append(curve(place[needed], place[step]));
  field.prepend(lines);
  by("graph").replaceChildren(field);
}

function node(step, { x, y }) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [name, value] of Object.entries({ class: "bars", viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" })) svg.setAttribute(name, value);
  const figures = make("small");
  const button = make("button", { class: "node", type: "button", "aria-pressed": String(step === state.step), title: step, onclick: () => chooseStep(step === state.step ? "" : step) },
    make("b", {}, step), figures, svg);
  button.style.left = `${x}px`;
  button.style.top = `${y}px`;
  return { button, figures, svg };
}

function curve(from, to) {
  const [x1, y1, x2, y2] = [from.x + WIDE, from.y + HIGH / 2, to.x, to.y + HIGH / 2];
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", `M${x1} ${y1} C${x1 + GAP_X / 2} ${y1} ${x2 - GAP_X / 2} ${y2} ${x2} ${y2}`);
  return path;
}

function showSteps() {
  if (Object.keys(state.now.steps).some((name) => !nodes[name])) drawGraph();
  for (const [name, { button, figures, svg }] of Object.entries(nodes)) {
    const step = state.now.steps[name] ?? { total: 0, done: 0, running: 0, counts: {} };
    const { failed = 0, unknown = 0 } = step.counts;
    const figure = (count, status) => make("span", { class: `st-${status}` }, `${number(count)} ${say(status)}`);
    const right = failed ? figure(failed, "failed") : unknown ? figure(unknown, "unknown") : step.running ? figure(step.running, "running") : "";
    figures.replaceChildren(make("span", {}, `${number(step.done)} / ${number(step.total)}`), right);
    bars(svg, { ...step.counts, running: step.running }, step.total);
    button.setAttribute("aria-label", say("step_label", { step: name, done: number(step.done), total: number(step.total), running: number(step.running), failed: number(failed + unknown) }));
  }
}

function chooseStep(step) {
  state.step = step;
  for (const [name, { button }] of Object.entries(nodes)) button.setAttribute("aria-pressed", String(name === state.step));
  by("every-step").setAttribute("aria-pressed", String(!state.step));
  showPictures();
  loadTasks();
}
by("every-step").addEventListener("click", () => chooseStep(""));
