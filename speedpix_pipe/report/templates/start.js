// Data, words, elements, thumbnails: what every other part uses. Text always goes in as text, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const { steps, tasks, rows, files, axes, words, commands } = data;
const byId = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const say = (name, values = {}) => words[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);

function duration(seconds) {
  if (seconds > 0 && seconds < .095) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  if (minutes < 60) return `${minutes} min ${String(Math.round(seconds) % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

tasks.forEach((task, number) => { task.number = number; task.f ??= []; task.m ??= {}; });
rows.forEach((row, number) => {
  row.number = number;
  row.tasks = tasks.slice(row.first, row.first + row.count);
  for (const task of row.tasks) task.row = row;
});
const nameOf = (task) => `${steps[task.s].name}@${task.k}`;
const labelOf = (row) => row.label || words.whole_run;
const isBad = (task) => task.st === "failed" || task.st === "unknown";
const isSlow = (task) => steps[task.s].slow && task.st === "succeeded" && task.sec >= steps[task.s].slow;

// Thumbnails follow the program at the end of the page, in blocks with ascending numbers. A block is parsed when one
// of its pictures comes into sight; one that is still being read by the browser is waited for.
const blocks = [];
const read = new Map();
const waiting = new Map();

function collectBlocks() {
  const found = document.getElementsByClassName("thumbs");
  const whole = document.readyState === "loading" ? found.length - 1 : found.length; // the last may be half read
  while (blocks.length < whole) {
    const node = found[blocks.length];
    blocks.push({ node, last: Number(node.dataset.last) });
  }
  for (const [number, acts] of [...waiting]) {
    const made = readThumbnail(number);
    if (made) { waiting.delete(number); acts.forEach((act) => act(made)); }
  }
}

function readThumbnail(number) {
  if (read.has(number)) return read.get(number);
  let low = 0, high = blocks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (blocks[middle].last < number) low = middle + 1; else high = middle;
  }
  if (low === blocks.length) return null;
  for (const [name, [text, width, height, animated]] of Object.entries(JSON.parse(blocks[low].node.textContent))) {
    read.set(Number(name), { src: text && `data:image/webp;base64,${text}`, width, height, animated });
  }
  blocks[low].node.textContent = ""; // kept once is enough
  return read.get(number) ?? { src: "", width: 0, height: 0 };
}

function withThumbnail(number, act) {
  const made = readThumbnail(number);
  if (made) act(made);
  else waiting.set(number, [...(waiting.get(number) ?? []), act]);
}

if (document.readyState === "loading") {
  const watcher = new MutationObserver(collectBlocks);
  watcher.observe(document.body, { childList: true });
  document.addEventListener("DOMContentLoaded", () => { watcher.disconnect(); collectBlocks(); });
} else collectBlocks();

// Kept twice, and the newer one counts. Chromium on a busy machine may show a page that was just loaded an empty storage: the
// first that it reads. That is sessionStorage here, this tab's; localStorage, read second, is what every tab remembers.
function store(name, value) {
  const read = (kept) => {
    const [, at = -1, text = null] = /^(\d+) (.*)$/s.exec(kept.getItem(name)) ?? [];
    return { at: Number(at), text };
  };
  try {
    const newest = [sessionStorage, localStorage].map(read).reduce((one, other) => (other.at > one.at ? other : one));
    if (value === undefined) return newest.text;
    const text = `${Math.max(Date.now(), newest.at + 1)} ${value}`;
    for (const kept of [sessionStorage, localStorage]) kept.setItem(name, text);
  } catch { /* a page opened from disk may have no storage: it then forgets */ }
  return null;
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no clipboard without permission: the old way
    const area = make("textarea", {}, text);
    (button.closest("dialog") ?? document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  const before = button.textContent;
  button.textContent = words.copied;
  setTimeout(() => { button.textContent = before; }, 1500);
}

const command = (title, text) => make("p", { class: "command" }, make("span", {}, title), make("code", {}, text),
  make("button", { type: "button", on: { click: (event) => copy(text, event.currentTarget) } }, words.copy));
