// What all parts share: the words, the state, and small ways to make elements. Text only ever enters as text.
const page = JSON.parse(document.getElementById("data").textContent);
const state = { run: "", step: "", runs: [], now: null, graph: [] };
const STATUSES = ["succeeded", "cached", "failed", "unknown", "skipped", "cancelled", "running"];

const by = (id) => document.getElementById(id);
const say = (name, gaps = {}) => (page.words[name] ?? name).replace(/\{(\w+)\}/g, (_, gap) => gaps[gap] ?? "");
const number = (count) => count.toLocaleString("en-US");

function make(tag, given = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...inside);
  return element;
}

function duration(seconds) {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(Math.round(seconds % 60)).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

// A bar of coloured parts. Something that exists is never too small to be seen.
function bars(svg, counts, total) {
  const all = Math.max(total, 1);
  let at = 0;
  const parts = STATUSES.filter((status) => counts[status]).map((status) => {
    const width = Math.max(8, (1000 * counts[status]) / all);
    const part = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [name, value] of Object.entries({ x: at, y: 0, width, height: 10, class: status })) part.setAttribute(name, value);
    at += width;
    return part;
  });
  svg.replaceChildren(...parts);
}

// Brings a list up to date. What stays keeps its element: a click under way, the focus and the reader's place survive.
function renew(list, entries, name, create, fill) {
  const had = new Map([...list.children].map((item) => [item.named, item]));
  const items = [...new Map(entries.map((entry) => [name(entry), entry]))].map(([key, entry]) => {
    const item = had.get(key) ?? Object.assign(create(entry), { named: key });
    const told = JSON.stringify(entry);
    if (item.told !== told) fill(item, entry);
    item.told = told;
    had.delete(key);
    return item;
  });
  for (const gone of had.values()) gone.remove();
  items.forEach((item, at) => { if (list.children[at] !== item) list.insertBefore(item, list.children[at] ?? null); });
}

async function ask(path, options = {}) {
  const answer = await fetch(path, options);
  const value = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(value.error ?? answer.statusText);
  return value;
}

let toasting = 0;
function toast(text) {
  clearTimeout(toasting);
  by("toast").textContent = text;
  by("toast").hidden = false;
  toasting = setTimeout(() => { by("toast").hidden = true; }, 6000);
}

by("theme").addEventListener("click", () => {
  const dark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
});
