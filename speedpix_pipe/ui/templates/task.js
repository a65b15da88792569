// One task: its files in full, what it was given, and everything that happened to it.
async function openTask(task) {
  const run = state.run;
  let known;
  try {
    known = await ask(`/api/runs/${run}/task?${new URLSearchParams({ task })}`);
  } catch (error) {
    toast(say("refused", { reason: error.message }));
    return;
  }
  by("task-name").textContent = task;
  by("task-body").replaceChildren(
    make("div", { class: "shots" }, ...known.files.map(shot)),
    ...(page.may_change && page.can_redo ? [redo(task, known.paid)] : []),
    ...(known.input && Object.keys(known.input).length ? [make("h3", {}, say("input")), make("pre", { tabindex: "0" }, JSON.stringify(known.input, null, 2))] : []),
    make("h3", {}, say("log")), make("ul", { class: "log" }, ...known.log.map(line)));
  if (!by("task").open) by("task").showModal();
}

function shot(file) {
  const address = `/file/${file.sha256}`;
  const figure = file.type.startsWith("video/") ? make("video", { src: address, controls: "", loop: "" })
    : file.type.startsWith("image/") ? make("img", { src: address, alt: file.name }) : make("code", {}, file.type);
  if (file.type.startsWith("video/")) figure.addEventListener("error", () => figure.replaceWith(make("img", { src: address, alt: file.name })));
  return make("div", {}, figure, make("a", { href: address, target: "_blank", rel: "noopener" }, say("open_file")));
}

function line(event) {
  const when = event.at ? new Date(event.at * 1000) : null;
  const facts = event.facts.map(([name, value]) => `${say(`field_${name}`)}: ${value}`);
  return make("li", {}, make("time", when ? { datetime: when.toISOString() } : {}, when ? when.toLocaleTimeString("en-GB") : ""),
    make("div", {}, say(`event_${event.what}`), ...(facts.length ? [make("p", {}, facts.join("\n"))] : [])));
}

// `paid`: it was made on the service, where another seed may make another picture of it
function redo(task, paid) {
  const button = (word, wish) => make("button", { type: "button", onclick: async () => { if (await again({ tasks: [task], ...wish })) by("task").close(); } }, say(word));
  return make("p", { class: "acts" }, button("redo", {}), ...(paid ? [button("reseed", { new_seed: true })] : []));
}

async function again(wanted) {
  try {
    await ask(`/api/runs/${state.run}/redo`, { method: "POST", body: JSON.stringify(wanted) });
    toast(say("redo_asked"));
    return true;
  } catch (error) {
    toast(say("refused", { reason: error.message }));
    return false;
  }
}

by("close").addEventListener("click", () => by("task").close());
by("task").addEventListener("click", (event) => { if (event.target === by("task")) by("task").close(); });
