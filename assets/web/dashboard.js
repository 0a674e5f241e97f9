import { Panel, range, smoothed } from "./curves.js";
import { Runs, samples, grids } from "./runs.js";
import { cycleTheme } from "./theme.js";

const $ = (id) => document.getElementById(id);

const kTitles = {
  loss: "Training loss", val_loss: "Validation loss", train_loss: "Training loss, evaluated", ema_val_loss: "Validation loss of the average",
  learning_rate: "Learning rate", grad_norm: "Gradient norm", tokens_per_second: "Tokens a second", step_seconds: "Seconds a step",
  clip_scale: "Clipping", loss_scale: "Loss scale", skipped: "Skipped steps",
};
const kOrder = Object.keys(kTitles);
const kQuietPanels = new Set(["skipped", "clip_scale", "loss_scale", "step_seconds", "train_loss"]);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

const isDark = () => getComputedStyle(document.documentElement).colorScheme.includes("dark") && (document.documentElement.dataset.theme === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches));
const colour = (run) => `oklch(${isDark() ? "0.76 0.14" : "0.56 0.17"} ${run.hue})`;

const panels = new Map();
let zoom = null;
let frame = 0;
const runs = new Runs((run, hasDetails) => {
  if (!frame) {
    frame = setTimeout(() => requestAnimationFrame(() => {
      frame = 0;
      show();
    }), runs.isLoading && runs.list.length > 40 ? 400 : 0);
  }
  if (!run || (hasDetails && run === chosen())) showDetails();
}, (isOpen) => {
  $("state").textContent = isOpen ? "live" : "the server is gone";
});

// Of which run a view tells: the one that was picked, or the first that is shown.
let picked = null;
const shown = () => runs.list.filter((run) => run.isShown);
const chosen = () => shown().find((run) => run === picked) ?? shown()[0];

// Curves.

function show() {
  showRuns();
  const view = { x: $("x").value, logX: $("log-x").checked, logY: $("log-y").checked, theme: isDark() };
  const weight = Number($("smooth").value);
  const keys = [...runs.keys()].sort((a, b) => (kOrder.indexOf(a) + 1 || 99) - (kOrder.indexOf(b) + 1 || 99));
  for (const key of keys) {
    if (!panels.has(key)) {
      const panel = new Panel($("panels"), kTitles[key] ?? key, key === "loss", { onNear: mark, onZoom: setZoom });
      panel.root.dataset.key = key;
      panel.zoom = zoom;
      panels.set(key, panel);
    }
    const isRough = key === "loss" || key === "grad_norm" || key === "tokens_per_second" || key === "step_seconds";
    const lines = shown().flatMap((run) => {
      const line = runs.line(run, key, view.x);
      return line ? [{ run: run.id, name: run.name, colour: colour(run), x: line.x, raw: line.values, smooth: isRough ? smoothed(line.values, weight) : line.values }] : [];
    });
    panels.get(key).root.hidden = lines.length === 0 || (kQuietPanels.has(key) && !lines.some((line) => new Set(line.raw).size > 1));
    panels.get(key).show(lines, { ...view, logY: view.logY && key !== "skipped" });
  }
  for (const key of keys) $("panels").append(panels.get(key).root);
  for (const [key, panel] of panels) if (!keys.includes(key)) panel.root.hidden = true;
}

function setZoom(from, to) {
  zoom = from === undefined ? null : [from, to];
  for (const panel of panels.values()) panel.setZoom(zoom);
}

function mark(run) {
  for (const item of $("runs").children) item.firstChild.classList.toggle("near", Number(item.dataset.run) === run);
}

// The list.

function lastLoss(run) {
  const series = run.series.val_loss ?? run.series.loss;
  return series?.values.at(-1)?.toFixed(3) ?? "";
}

let listed = null; // the list whose items are there
function showRuns() {
  const list = $("runs");
  if (listed !== runs.list) {
    listed = runs.list;
    list.replaceChildren(...runs.list.map((run) => {
      const box = element("input", { type: "checkbox", onchange: () => { run.isShown = box.checked; show(); showDetails(); } });
      return element("li", { "data-run": run.id }, element("label", { title: run.path }, box, element("canvas", { class: "swatch", width: 14, height: 10 }), element("span", { class: "name" }, run.name), element("span", { class: "last" })));
    }));
  }
  const words = $("find").value.toLowerCase();
  runs.list.forEach((run, at) => {
    const item = list.children[at];
    item.hidden = !run.name.toLowerCase().includes(words);
    item.querySelector("input").checked = run.isShown;
    item.querySelector(".last").textContent = lastLoss(run);
    const ctx = item.querySelector("canvas").getContext("2d");
    ctx.fillStyle = colour(run);
    ctx.fillRect(0, 2, 14, 6);
  });
}

function showAll(isShown) {
  const words = $("find").value.toLowerCase();
  for (const run of runs.list) if (run.name.toLowerCase().includes(words)) run.isShown = isShown;
  show();
  showDetails();
}

// The other views.

function showSettings() {
  const list = shown();
  const keys = [...new Set(list.flatMap((run) => Object.keys(run.settings)))];
  const differs = (key) => new Set(list.map((run) => run.settings[key])).size > 1;
  const only = $("only-differences")?.checked ?? list.length > 1;
  const rows = keys.filter((key) => !only || differs(key)).map((key) =>
    element("tr", { class: differs(key) && list.length > 1 ? "differs" : false }, element("th", { scope: "row" }, key), ...list.map((run) => element("td", {}, run.settings[key] ?? "—"))));
  const box = element("input", { type: "checkbox", id: "only-differences", onchange: showSettings });
  box.checked = only;
  $("settings").replaceChildren(
    element("div", { class: "tools" }, element("label", {}, box, " only what differs")),
    rows.length ? element("div", { class: "scroll" }, element("table", {}, element("thead", {}, element("tr", {}, element("th", {}, "setting"), ...list.map((run) => element("th", { scope: "col" }, run.name)))), element("tbody", {}, ...rows))) : element("p", { class: "hint" }, list.length > 1 ? "These runs have the same settings." : "No settings are known."));
}

function picker() {
  const run = chosen();
  const select = element("select", { "aria-label": "Run", onchange: () => { picked = runs.list[select.value]; showDetails(); } }, ...shown().map((each) => element("option", { value: each.id }, each.name)));
  if (run) select.value = run.id;
  return { run, select };
}

const hint = (text) => element("p", { class: "hint" }, text);

// Fills a view with what `make` makes of the answer of `ask` about a run; an answer that a later question overtook is dropped.
let asked = 0;
async function fill(view, ask, make, nothing) {
  const { run, select } = picker();
  const number = ++asked;
  let parts = [];
  try {
    if (run) parts = make(await ask(run));
    if (parts.length === 0) parts = [hint(nothing)];
  } catch (error) {
    parts = [hint(`This cannot be shown: ${error.message}`)];
  }
  if (number === asked) $(view).replaceChildren(element("div", { class: "tools" }, select), ...parts);
}

function showSamples() {
  const make = (list) => list.map(({ step, text }) => element("article", { class: "sample" }, element("span", { class: "hint" }, `step ${step}`), element("pre", {}, text)));
  return fill("samples", samples, make, "This run has drawn no samples (--sample_interval).");
}

// Rows of tensors, columns of steps; darker is larger, by the logarithm.
function heat(grid) {
  const size = 14, canvas = element("canvas", { width: Math.max(grid.steps.length, 1), height: grid.rows.length, role: "img", "aria-label": "heat map" });
  canvas.style.height = `${grid.rows.length * size}px`;
  const ctx = canvas.getContext("2d");
  const logs = grid.rows.map((row) => row.values.map((value) => (value > 0 ? Math.log10(value) : null)));
  const [least, largest] = range(logs, false);
  logs.forEach((row, y) => row.forEach((value, x) => {
    const share = value === null ? 0 : (value - least) / (largest - least || 1);
    ctx.fillStyle = grid.rows[y].values[x] === null ? "magenta" : `oklch(${isDark() ? 0.22 + 0.6 * share : 0.97 - 0.6 * share} ${0.02 + 0.15 * share} 35)`;
    ctx.fillRect(x, y, 1, 1);
  }));
  const readout = element("p", { class: "hint" }, `${grid.rows.length} tensors, steps ${grid.steps[0]} to ${grid.steps.at(-1)}; ${least <= largest ? `norms from ${(10 ** least).toPrecision(2)} to ${(10 ** largest).toPrecision(2)}` : "no norm above 0"}`);
  canvas.addEventListener("pointermove", (event) => {
    const x = Math.floor((event.offsetX / canvas.clientWidth) * grid.steps.length), y = Math.floor(event.offsetY / size);
    const row = grid.rows[y];
    if (row) readout.textContent = `${row.name}, step ${grid.steps[x]}: ${row.values[x]?.toPrecision(4) ?? "not finite"}`;
  });
  const names = element("div", { class: "names" }, ...grid.rows.map((row) => element("span", { title: row.name }, row.name)));
  return element("div", { class: "grid-view" }, readout, names, canvas);
}

function showTensors() {
  const make = (all) => ["gradients", "activations"].filter((name) => all[name]?.rows.length).map((name) =>
    element("div", { class: "panel" }, element("h2", {}, `Norms of ${name}`), heat(all[name])));
  return fill("tensors", grids, make, "This run has no statistics (--stats_interval).");
}

function bars(title, grid, format) {
  const last = grid.rows.map((row) => ({ name: row.name, value: row.values.at(-1) ?? 0 })).sort((a, b) => b.value - a.value);
  const sum = last.reduce((total, each) => total + each.value, 0) || 1;
  const cells = last.flatMap(({ name, value }) => [element("span", {}, name), element("meter", { min: 0, max: last[0].value || 1, value }), element("span", { class: "number" }, `${format(value)} · ${((100 * value) / sum).toFixed(1)} %`)]);
  return element("div", { class: "panel" }, element("h2", {}, title, element("span", {}, `step ${grid.steps.at(-1)}, ${format(sum)}`)), element("div", { class: "bars" }, ...cells));
}

const kSize = (bytes) => (bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(2)} GiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`);

function showMachine() {
  const make = ({ kernels, memory, ranks }) => {
    const parts = [];
    if (kernels) parts.push(bars("Time by kernel", kernels, (seconds) => `${(1e3 * seconds).toPrecision(3)} ms`));
    if (memory) parts.push(bars("Memory by role", memory, kSize));
    if (ranks) parts.push(bars("Tokens a second by rank", ranks, (rate) => rate.toPrecision(4)));
    return parts;
  };
  return fill("machine", grids, make, "This run's log has no times (--stats_interval).");
}

const kViews = { curves: show, settings: showSettings, samples: showSamples, tensors: showTensors, machine: showMachine };
let tab = "curves";

function showDetails() {
  if (tab !== "curves") kViews[tab]();
}

function choose(name) {
  tab = name;
  for (const each of Object.keys(kViews)) {
    $(each).hidden = each !== name;
    $(`tab-${each}`).setAttribute("aria-selected", each === name);
    $(`tab-${each}`).tabIndex = each === name ? 0 : -1;
  }
  kViews[name]();
}

const names = Object.keys(kViews);
$("tabs").addEventListener("click", ({ target }) => target.id && choose(target.getAttribute("aria-controls")));
$("tabs").addEventListener("keydown", ({ key }) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
  if (!step) return;
  choose(names[(names.indexOf(tab) + step + names.length) % names.length]);
  $(`tab-${tab}`).focus();
});
for (const id of ["x", "log-x", "log-y", "smooth"]) $(id).addEventListener("input", () => { $("smooth-value").textContent = $("smooth").value; if (id === "x") zoom = null; for (const panel of panels.values()) panel.zoom = zoom; show(); });
$("find").addEventListener("input", showRuns);
$("all").addEventListener("click", () => showAll(true));
$("none").addEventListener("click", () => showAll(false));
$("theme").addEventListener("click", cycleTheme);
document.addEventListener("themechange", () => { show(); showDetails(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { show(); showDetails(); });
$("smooth-value").textContent = $("smooth").value;
runs.load();
