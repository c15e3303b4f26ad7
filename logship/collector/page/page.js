// Fetches the rendered page anew and puts it in place; every piece of an event was escaped by the server's templates.
"use strict";

const PART = { "X-Page-Part": "1" };
const LIVE_MS = 2000;
const RETRY_MS = 5000;
const REST = 60; // times as long as the server worked: an open page takes less than a sixtieth of its time

const byId = (id) => document.getElementById(id);
const part = byId("part");
const drawer = byId("drawer");
const notice = byId("notice");
const progress = byId("progress");
let isLive = true;
let timer = 0;
let selected = null;
let question = 0; // number of the newest question; answers to older ones are thrown away
let opener = null;
let state = ""; // of the store, when what is shown was made

document.documentElement.classList.add("js");
setTheme(stored("theme"));

function stored(name) {
  try { return localStorage.getItem(name); } catch { return null; } // storage may be forbidden; the page works without
}

function setTheme(name) {
  if (name) document.documentElement.dataset.theme = name;
}

function toggleTheme() {
  const set = document.documentElement.dataset.theme;
  const isDark = set ? set === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const name = isDark ? "light" : "dark";
  setTheme(name);
  try { localStorage.setItem("theme", name); } catch { /* lasts until the page is left */ }
}

// the nodes of a rendered piece of page; parsed apart from this document, so nothing in it runs
function nodesOf(text) {
  return [...new DOMParser().parseFromString(text, "text/html").body.childNodes].map((node) => document.importNode(node, true));
}

async function ask(address, headers = PART) {
  const answer = await fetch(address, { headers, credentials: "same-origin", cache: "no-store" });
  if (answer.status === 401) location.reload();
  return answer;
}

async function show(address, { isQuiet = false } = {}) {
  const mine = ++question;
  clearTimeout(timer);
  if (!isQuiet) { progress.hidden = false; part.setAttribute("aria-busy", "true"); }
  let next = LIVE_MS, failed = false;
  try {
    const answer = await ask(address, isQuiet && state ? { ...PART, "If-None-Match": state } : PART);
    const text = await answer.text();
    if (mine !== question) return;
    if (answer.ok) {
      state = answer.headers.get("ETag") ?? "";
      swap(text, isQuiet);
      next = Math.max(LIVE_MS, REST * (byId("took")?.dataset.ms ?? 0));
    }
    if (answer.ok || answer.status === 304) tell("");
    else tell(new DOMParser().parseFromString(text, "text/html").querySelector("main p")?.textContent ?? `The collector answered ${answer.status}.`);
  } catch {
    if (mine !== question) return;
    tell("The collector can't be reached. Trying again.");
    next = RETRY_MS; failed = true;
  }
  progress.hidden = true;
  part.removeAttribute("aria-busy");
  // a text that is still being looked for: the next answer begins where this one ended, until somebody stops it
  const isSearching = !failed && byId("searching") !== null && isLive;
  if (isSearching && !drawer.open) { timer = setTimeout(() => show(location.href, { isQuiet: true }), 0); return; }
  timer = setTimeout(refresh, next);
}

function swap(text, isQuiet) {
  const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const known = new Set([...part.querySelectorAll("[data-id]")].map((row) => row.dataset.id));
  const wasEmpty = part.querySelector(".empty") !== null;
  const isOnChart = document.activeElement !== null && document.activeElement === byId("chart");
  const scrolled = part.querySelector(".person ol")?.scrollTop ?? 0;
  part.replaceChildren(...nodesOf(text));
  if (isQuiet && scrolled) part.querySelector(".person ol")?.scrollTo(0, scrolled);
  offerLocal();
  readyChart();
  if (isOnChart) byId("chart")?.focus({ preventScroll: true });
  if (wasEmpty && !part.querySelector(".empty")) { location.reload(); return; }
  for (const row of part.querySelectorAll("[data-id]")) {
    if (isQuiet && !known.has(row.dataset.id)) row.classList.add("new");
    if (row.dataset.id === selected) row.classList.add("on");
  }
  if (focused) [...part.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus({ preventScroll: true });
}

function tell(text) {
  notice.textContent = text;
  notice.hidden = !text;
}

function isOnNewestPage() {
  return !new URLSearchParams(location.search).has("cursor");
}

function refresh() {
  clearTimeout(timer);
  const isDragging = part.querySelector(".band") !== null;
  if (isLive && isOnNewestPage() && !document.hidden && !drawer.open && !isDragging) show(location.href, { isQuiet: true });
  else timer = setTimeout(refresh, LIVE_MS);
}

function go(address, step = null) {
  // Enter in a changed field is a change and a submit: one step in the history
  if (new URL(address, location.href).href !== location.href) history.pushState(step, "", address);
  fillFilters();
  selected = null;
  show(address);
}

// the form says what the address says, also after a link or the back button
function fillFilters() {
  const form = byId("filters");
  if (!form) return;
  const asked = new URLSearchParams(location.search);
  for (const field of form.querySelectorAll("input[type=hidden]")) field.remove();
  const shown = new Set([...form.elements].map((field) => field.name));
  for (const [name, value] of asked) {
    if (shown.has(name) || name === "cursor") continue;
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
  for (const field of form.querySelectorAll("select, input[name]:not([type=hidden])")) {
    const value = asked.get(field.name) ?? "";
    if (field.tagName === "SELECT" && ![...field.options].some((one) => one.value === value)) field.add(new Option(value, value));
    field.value = value;
  }
}

function apply(form, changed) {
  if (changed?.matches("input")) changed.value = changed.value.trim(); // typed or pasted; what links put there stays
  const asked = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value) asked.set(name, value);
  const query = asked.toString();
  go(form.getAttribute("action") + (query ? `?${query}` : ""));
}

async function openEvent(link) {
  progress.hidden = false;
  try {
    const answer = await ask(link.href);
    const text = await answer.text();
    const close = Object.assign(document.createElement("button"), { className: "close", textContent: "Close", type: "button" });
    close.addEventListener("click", () => drawer.close());
    opener = link.getAttribute("href");
    drawer.replaceChildren(close, ...nodesOf(text));
    readyCopy(drawer);
    if (!drawer.open) drawer.showModal();
    drawer.scrollTop = 0;
    tell("");
  } catch {
    tell("The collector can't be reached; the event can't be shown now.");
  }
  progress.hidden = true;
}

function readyCopy(within) {
  for (const button of within.querySelectorAll(".copy")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.parentElement.querySelector("pre").textContent);
      button.textContent = "Copied";
    });
  }
}

// values to choose from, of the events that the other filters leave; and a calendar beside each time
function readyFields(form) {
  if (!form) return;
  let asking = 0;
  const suggest = async (field) => {
    const asked = new URLSearchParams(location.search);
    for (const name of ["cursor", "list", "sort", "rows"]) asked.delete(name);
    asked.set("list", field.name);
    asked.set("part", field.value.trim().replace(/\*$/, ""));
    asked.set("limit", "50");
    const mine = ++asking;
    try {
      const answer = await ask(`${form.getAttribute("action")}api/values?${asked}`);
      const found = answer.ok ? (await answer.json()).values : [];
      if (mine === asking) field.list.replaceChildren(...found.map((one) => Object.assign(document.createElement("option"), { value: one.value })));
    } catch { /* nothing to choose from now; typing works */ }
  };
  let waiting = 0;
  for (const kind of ["focusin", "input"]) {
    form.addEventListener(kind, (event) => {
      clearTimeout(waiting);
      if (event.target.list) waiting = setTimeout(() => suggest(event.target), 150);
    });
  }
  for (const button of form.querySelectorAll(".pick")) {
    const field = button.parentElement.querySelector("input");
    const native = Object.assign(document.createElement("input"), { type: "datetime-local", tabIndex: -1, className: "native" });
    native.setAttribute("aria-hidden", "true");
    button.after(native);
    button.hidden = !native.showPicker;
    button.addEventListener("click", () => {
      if (/^\d{4}-\d\d-\d\d[T ]?[\d:]*$/.test(field.value)) native.value = field.value.replace(" ", "T").slice(0, 16).padEnd(16, "T00:00");
      native.showPicker();
    });
    native.addEventListener("change", () => { field.value = native.value.replace("T", " "); apply(form, field); });
  }
}

// the reader's own clock, where the page shows UTC
function offerLocal() {
  const link = byId("local");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!link?.hidden || !zone || zone === "UTC") return;
  const asked = new URLSearchParams(location.search);
  asked.set("tz", zone);
  link.href = `${location.pathname}?${asked}`;
  link.textContent = zone;
  link.hidden = false;
}

function select(step) {
  const rows = [...part.querySelectorAll("[data-id]")];
  if (!rows.length) return;
  const now = rows.findIndex((row) => row.dataset.id === selected);
  const next = rows[Math.min(Math.max(now + step, 0), rows.length - 1)];
  for (const row of rows) row.classList.toggle("on", row === next);
  selected = next.dataset.id;
  next.querySelector("a.open").focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function setLive(on) {
  isLive = on;
  byId("live").setAttribute("aria-pressed", String(on));
  byId("live").querySelector("span").textContent = on ? "Live" : "Paused";
  if (on) refresh();
}

const KEYS = {
  "/": () => byId("q")?.focus(),
  j: () => select(1),
  k: () => select(-1),
  l: () => setLive(!isLive),
  t: toggleTheme,
  n: () => byId("older")?.click(),
  p: () => byId("newest")?.click(),
  "?": () => byId("keys").showModal(),
};

function onKey(pressed) {
  if (pressed.ctrlKey || pressed.metaKey || pressed.altKey) return;
  const isTyping = pressed.target.matches("input, select, textarea");
  if (isTyping) { if (pressed.key === "Escape") pressed.target.blur(); return; }
  if (document.querySelector("dialog[open]")) return; // the browser closes it with Escape
  const act = KEYS[pressed.key];
  if (act) { pressed.preventDefault(); act(); }
}

function onClick(pressed) {
  if (pressed.ctrlKey || pressed.metaKey || pressed.shiftKey || pressed.button) return;
  if (justZoomed) { justZoomed = false; pressed.preventDefault(); return; }
  const link = pressed.target.closest("a");
  if (link?.hasAttribute("data-swap")) { pressed.preventDefault(); go(link.getAttribute("href")); return; }
  const row = pressed.target.closest("tr[data-id]");
  if (!row || (link && !link.classList.contains("open"))) return;
  pressed.preventDefault();
  selected = row.dataset.id;
  for (const one of part.querySelectorAll("tr.on")) one.classList.remove("on");
  row.classList.add("on");
  openEvent(row.querySelector("a.open"));
}

if (part) {
  for (const id of ["live", "theme", "help"]) byId(id).hidden = false;
  byId("live").addEventListener("click", () => setLive(!isLive));
  byId("theme").addEventListener("click", toggleTheme);
  byId("help").addEventListener("click", () => byId("keys").showModal());
  byId("app")?.addEventListener("change", (changed) => changed.target.form.submit());
  byId("filters")?.addEventListener("submit", (sent) => { sent.preventDefault(); apply(sent.target); });
  byId("filters")?.addEventListener("change", (changed) => { if (changed.target.name) apply(changed.target.form, changed.target); });
  readyFields(byId("filters"));
  part.addEventListener("click", onClick);
  drawer.addEventListener("click", (pressed) => {
    const link = pressed.target.closest("a[data-swap]");
    if (link) { pressed.preventDefault(); drawer.close(); go(link.getAttribute("href")); }
    if (pressed.target === drawer) drawer.close();
  });
  readyZoom();
  readyChart();
  offerLocal();
  drawer.addEventListener("close", () => [...part.querySelectorAll("a.open")].find((one) => one.getAttribute("href") === opener)?.focus());
  document.addEventListener("keydown", onKey);
  document.addEventListener("visibilitychange", refresh);
  addEventListener("popstate", () => { fillFilters(); show(location.href); });
  timer = setTimeout(refresh, byId("searching") ? 0 : LIVE_MS);
} else {
  readyCopy(document);
}
