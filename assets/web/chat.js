import { model, reply, ApiError } from "./client.js";
import { render } from "./markdown.js";
import { Store } from "./store.js";
import { cycleTheme } from "./theme.js";

const $ = (id) => document.getElementById(id);
const store = new Store(follow, (isFull) => { $("full").hidden = !isFull; });
let current = store.conversations[0] ?? store.add();
let running = null; // {conversation, message, abort} while a reply comes
let served = { id: "", context_length: 0 };

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

const kIcons = {
  copy: "M9 9h10v11H9zM5 15V4h10",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  again: "M20 11a8 8 0 1 0-2 6M20 5v6h-6",
  drop: "M5 7h14M10 7V5h4v2M7 7l1 13h8l1-13",
};

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "i");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", kIcons[name]);
  svg.append(path);
  return svg;
}

function act(name, label, onclick) {
  return element("button", { class: "quiet small", type: "button", "aria-label": label, title: label, onclick }, icon(name));
}

// The conversations.

function showConversations() {
  $("conversations").replaceChildren(
    ...store.conversations.map((each) =>
      element(
        "li",
        {},
        element(
          "button",
          { class: "pick", "aria-current": each === current ? "true" : false, onclick: () => open(each) },
          element("span", {}, each.title || "New conversation"),
        ),
        element("button", { class: "drop quiet small", "aria-label": `Delete ${each.title || "the conversation"}`, onclick: () => drop(each) }, icon("drop")),
      ),
    ),
  );
}

function open(conversation) {
  current = conversation;
  closeMenu();
  showConversations();
  showMessages();
  $("words").focus();
}

function startNew() {
  const empty = store.conversations.find((each) => each.messages.length === 0);
  open(empty ?? store.add());
}

function drop(conversation) {
  if (!confirm(`Delete “${conversation.title || "New conversation"}”?`)) return;
  store.remove(conversation);
  stopDeleted();
  open(conversation === current ? (store.conversations[0] ?? store.add()) : current);
}

function stopDeleted() {
  if (running && !store.conversations.includes(running.conversation)) running.abort.abort();
}

// What another page wrote or deleted; nothing is the settings.
function follow(conversation) {
  if (!conversation) return void ($("settings").open && showFields());
  stopDeleted();
  const isGone = !store.conversations.includes(current);
  if (isGone) current = store.conversations[0] ?? store.add();
  showConversations();
  if (isGone || (conversation === current && !$("log").querySelector(".edit"))) showMessages();
}

// The messages.

function welcome() {
  return element(
    "div",
    { class: "welcome" },
    element("h1", {}, served.id ? `Talk with ${served.id}` : "vkgpt"),
    element("p", { class: "hint" }, "What you say goes no further than the server that runs it."),
  );
}

function showMessages() {
  const views = current.messages.map((message, at) => view(message, at));
  $("log").replaceChildren(...(views.length > 0 ? views : [welcome()]));
  $("log").scrollTop = $("log").scrollHeight;
}

function fill(article, message) {
  const body = article.querySelector(".body");
  if (message.role === "user") body.textContent = message.content;
  else body.innerHTML = render(message.content);
  article.querySelector(".rate").textContent = message.rate ?? "";
  article.querySelector(".problem")?.remove();
  const problem = message.problem ?? message.note;
  if (problem) article.append(element("p", { class: message.problem ? "problem" : "hint", role: "status" }, problem));
}

function view(message, at) {
  const isUser = message.role === "user";
  const isRunning = running?.message === message;
  const acts = element("div", { class: "acts" }, act("copy", "Copy", () => copy(message.content)));
  if (isUser) acts.append(act("edit", "Edit and send again", () => edit(article, at)));
  else acts.append(act("again", "Write this reply anew", () => regenerate(at)));
  const article = element(
    "article",
    { class: `message ${message.role}${isRunning ? " running" : ""}`, "aria-busy": isRunning ? "true" : false },
    element("div", { class: "who" }, element("span", {}, isUser ? "You" : served.id || "Reply"), element("span", { class: "rate" })),
    element("div", { class: "body" }),
    acts,
  );
  fill(article, message);
  return article;
}

async function copy(text) {
  await navigator.clipboard?.writeText(text).catch(() => {});
}

function edit(article, at) {
  if (running) return;
  const field = element("textarea", { "aria-label": "Edit the message" });
  field.value = current.messages[at].content;
  const form = element(
    "form",
    { class: "edit", onsubmit: (event) => { event.preventDefault(); say(field.value, at); } },
    field,
    element("div", { class: "bar" }, element("button", { class: "quiet small", type: "button", onclick: showMessages }, "Leave it"), element("button", { class: "primary small" }, "Send again")),
  );
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") showMessages();
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
  });
  article.replaceChildren(form);
  field.focus();
}

// Talking.

function say(words, at = current.messages.length) {
  if (running || words.trim() === "") return;
  current.messages.splice(at);
  current.messages.push({ role: "user", content: words });
  if (!current.title || at === 0) current.title = words.trim().split("\n")[0].slice(0, 60);
  answer(current);
}

function regenerate(at) {
  if (running) return;
  answer(current, current.messages.splice(at));
}

function requestOf(conversation, skipped) {
  const { system, temperature, top_p, top_k, repetition_penalty, max_tokens, seed } = store.settings;
  const past = conversation.messages.slice(skipped, -1).filter((each) => each.content !== "" || each.role === "user");
  const messages = [];
  for (const { role, content } of past) {
    // Where a reply was stopped before its first word two of the user's stand together, which templates refuse.
    if (messages.at(-1)?.role === role) messages.at(-1).content += `\n\n${content}`;
    else messages.push({ role, content });
  }
  if (system) messages.unshift({ role: "system", content: system });
  const given = { temperature, top_p, top_k, repetition_penalty, max_tokens, seed };
  return { messages, ...Object.fromEntries(Object.entries(given).filter(([, value]) => Number.isFinite(value))) };
}

// The next place to begin from where the conversation no longer fits: after its first exchange.
function shortened(conversation, skipped) {
  const next = conversation.messages.findIndex((each, at) => at > skipped && each.role === "user");
  return next < 0 || next >= conversation.messages.length - 1 ? -1 : next;
}

// `replaced` comes back where nothing comes in its place.
async function answer(conversation, replaced = []) {
  const message = { role: "assistant", content: "" };
  conversation.messages.push(message);
  const abort = new AbortController();
  running = { conversation, message, abort };
  store.busy = conversation;
  store.touch(conversation);
  showBusy();
  showConversations();
  showMessages();
  try {
    for (let skipped = 0; ; ) {
      try {
        await receive(conversation, message, requestOf(conversation, skipped), abort.signal);
        break;
      } catch (error) {
        const next = error.code === "context_length_exceeded" ? shortened(conversation, skipped) : -1;
        if (next < 0) throw error;
        skipped = next;
        message.note = "The beginning of the conversation no longer fits and was left out.";
      }
    }
  } catch (error) {
    const isKept = message.content === "" && replaced.length > 0;
    if (isKept) conversation.messages.splice(conversation.messages.indexOf(message), 1, ...replaced);
    const told = isKept ? replaced.at(-1) : message;
    if (error.name === "AbortError") told.note = "Stopped.";
    else told.problem = error.message === "Failed to fetch" ? "The server cannot be reached." : error.message;
    if (error instanceof ApiError && error.status === 401) showSettings();
  }
  store.touch(conversation);
  running = store.busy = null;
  showBusy();
  if (conversation === current) showMessages();
  greet();
}

async function receive(conversation, message, request, signal) {
  let first = 0, pieces = 0;
  for await (const part of reply(request, store.settings.api_key, signal)) {
    const now = performance.now();
    if (part.text) {
      message.content += part.text;
      first ||= now;
      ++pieces;
    }
    const tokens = part.usage?.completion_tokens ?? pieces;
    if (now > first && tokens > 1) message.rate = `${tokens} tokens, ${((tokens - 1) / ((now - first) / 1000)).toPrecision(3)} a second`;
    if (part.finish === "length") message.note ??= "The reply reached its longest length.";
    if (part.text) showProgress(conversation, message);
  }
}

function showProgress(conversation, message) {
  if (conversation !== current) return;
  const log = $("log");
  const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  const last = log.lastElementChild;
  if (last?.classList.contains("running")) fill(last, message);
  if (follows) log.scrollTop = log.scrollHeight;
}

function showBusy() {
  $("send").hidden = running !== null;
  $("stop").hidden = running === null;
}

function stop() {
  running?.abort.abort();
}

// Settings.

function showFields() {
  for (const field of $("settings").querySelectorAll("[name]")) {
    field.value = store.settings[field.name] ?? (field.type === "range" ? served.sampling?.[field.name] : "") ?? "";
    showOutput(field);
  }
}

function showSettings() {
  showFields();
  $("settings").showModal();
}

function showOutput(field) {
  const output = field.parentElement.querySelector("output");
  if (output) output.textContent = store.settings[field.name] ?? `${served.sampling?.[field.name] ?? ""} (default)`;
}

$("settings").addEventListener("input", ({ target }) => {
  const isNumber = target.type === "number" || target.type === "range";
  if (target.value === "") delete store.settings[target.name];
  else store.settings[target.name] = isNumber ? Number(target.value) : target.value;
  showOutput(target);
  store.saveSettings();
});
$("settings").addEventListener("close", greet);
$("defaults").addEventListener("click", () => {
  const { api_key } = store.settings;
  store.settings = api_key ? { api_key } : {};
  store.saveSettings();
  showFields();
});

// The frame.

function closeMenu() {
  document.body.classList.remove("menu");
  $("veil").hidden = true;
  $("menu").setAttribute("aria-expanded", "false");
}

async function greet() {
  try {
    served = await model(store.settings.api_key);
    $("model").textContent = served.id;
    $("context").textContent = `${served.context_length} tokens of context`;
    document.title = `${served.id} · vkgpt`;
    $("state").className = "dot good";
    $("state").setAttribute("aria-label", "ready");
  } catch (error) {
    $("model").textContent = error.status === 401 ? "An API key is needed" : "No server";
    $("state").className = "dot bad";
    $("state").setAttribute("aria-label", "unreachable");
  }
  if (current.messages.length === 0) showMessages();
}

function fit() {
  const words = $("words");
  words.style.height = "auto";
  words.style.height = `${words.scrollHeight}px`;
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  if (running) return;
  const words = $("words").value;
  $("words").value = "";
  fit();
  say(words);
});
$("words").addEventListener("input", fit);
$("words").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("composer").requestSubmit();
  }
});
$("stop").addEventListener("click", stop);
$("new").addEventListener("click", startNew);
$("open-settings").addEventListener("click", showSettings);
$("theme").addEventListener("click", cycleTheme);
$("menu").addEventListener("click", () => {
  document.body.classList.add("menu");
  $("veil").hidden = false;
  $("menu").setAttribute("aria-expanded", "true");
  $("new").focus();
});
$("veil").addEventListener("click", closeMenu);
$("export").addEventListener("click", () => {
  const url = URL.createObjectURL(new Blob([store.exported()], { type: "application/json" }));
  element("a", { href: url, download: "conversations.json" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
});
$("import").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", async () => {
  const [file] = $("file").files;
  $("file").value = "";
  if (!file) return;
  try {
    open(store.import(await file.text())[0]);
  } catch (error) {
    alert(`${file.name}: ${error.message}`);
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !$("settings").open) {
    if (document.body.classList.contains("menu")) closeMenu();
    else stop();
  }
  if (event.altKey && event.key === "n") startNew();
  if (event.altKey && event.key === "s") showSettings();
});

addEventListener("pagehide", () => running && store.touch(running.conversation));

showConversations();
showMessages();
greet();
$("words").focus();
