// The playground's page. What comes from a log is only ever put in as text.
import { makeEditor } from "./editor.js";

const $ = (id) => document.getElementById(id);
const nonce = document.querySelector("meta[name=nonce]").content;
const QUIET_MS = 120;      // after the last key, then the text is compiled
const LATER_MS = 600;      // then it is measured over all lines
const LOOK_MS = 2000;      // between looks whether somebody else wrote the file
const ENDED = "the playground has ended and nothing can be saved: start it anew; this page keeps the text";
const state = { words: null, saved: "", file: "", lines: [], chosen: null, pasted: null, asked: 0, problems: [] };
let format, mapping;

const make = (tag, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.filter((one) => one !== null && one !== undefined));
  return made;
};

async function ask(path, body) {
  const answer = await fetch(path, body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }).catch(() => null);
  if (!answer) return { error: ENDED };
  const type = answer.headers.get("content-type") || "";
  const found = type.startsWith("application/json") ? await answer.json() : { error: (await answer.text()).trim() };
  return answer.ok ? found : { error: found.error || `the playground answered ${answer.status}`, changed: found.changed };
}

// -- asking

let quiet, later;
function edited() {
  clearTimeout(quiet);
  clearTimeout(later);
  quiet = setTimeout(look, QUIET_MS);
  later = setTimeout(measure, LATER_MS);
  keep();
  showSaving();
}

// -- what was typed outlives a reload of the page, in this tab

const keptUnder = () => `${state.log}\n${state.file}`;

function keep() {
  const kept = { base: state.saved, format: format.text(), mapping: mapping.text() };
  try { sessionStorage.setItem(keptUnder(), JSON.stringify(kept)); } catch { /* the browser keeps nothing */ }
}

function keptText(opened) {
  try {
    const kept = JSON.parse(sessionStorage.getItem(keptUnder()));
    if (kept && kept.base === opened.mapping) return kept;
  } catch { /* nothing was kept */ }
  return opened;
}

async function look() {
  const number = ++state.asked;
  const found = await ask("lines", { format: format.text(), mapping: mapping.text(), lines: state.pasted });
  if (number !== state.asked) return;              // something newer was asked meanwhile
  if (found.error) return tell(found.error);
  tell("");
  state.problems = found.problems;
  state.lines = found.lines;
  if (state.chosen === null) state.chosen = Math.max(0, found.lines.findIndex((line) => line.event));
  state.chosen = Math.min(state.chosen, Math.max(0, found.lines.length - 1));
  format.show(found.problems.filter((one) => one.where === "format"));
  mapping.show(found.problems.filter((one) => one.where === "mapping" && one.line));
  showProblems();
  showLines(found.is_right);
  showChosen();
}

async function measure() {
  const found = await ask("coverage", { format: format.text(), mapping: mapping.text() });
  if (found.error) return;
  const parts = [];
  const say = (count, text, always) => (count || always) && parts.push(make("span", {}, make("b", { textContent: count.toLocaleString("en") }), ` ${text}`));
  if (found.lines) {
    say(found.lines, "newest lines:", true);
    say(found.events, found.events === 1 ? "event" : "events", true);
    say(found.unmatched, "fit no format");
    say(found.dropped, "dropped");
    say(found.sampled, "sampled out");
    Object.entries(found.left_out).forEach(([key, count]) => say(count, `without ${key}: too long`));
    say(found.changed, found.changed === 1 ? "event changes against the saved mapping" : "events change against the saved mapping", true);
  }
  $("coverage").replaceChildren(...(parts.length ? parts.flatMap((one, at) => (at > 1 ? [" · ", one] : at ? [" ", one] : [one])) : ["nothing is measured while there are errors"]));
  $("rules").replaceChildren(...(found.rules || []).map((rule) => make("li", {}, `${rule.name} `, make("b", { textContent: rule.lines.toLocaleString("en") }), ` of ${rule.of.toLocaleString("en")}`)));
  const shown = found.lines ? (found.unmatched ? found.misfits : found.changes) : [];
  $("more").hidden = !shown.length;
  $("more-head").textContent = found.unmatched ? "Lines that fit no format" : "Lines whose events change";
  $("more-lines").replaceChildren(...shown.map((line) => make("li", { textContent: line })));
}

// -- showing

function tell(text) {
  $("note").textContent = text || state.note;
}

function showSaving() {
  const dirty = mapping.text() !== state.saved;
  $("save").disabled = !state.file || !dirty;
  $("save").textContent = state.file && !dirty ? "Saved" : "Save";
  document.title = `${dirty ? "• " : ""}logship playground`;
}

function showProblems() {
  const sorted = [...state.problems].sort((a, b) => (a.severity === "error" ? 0 : 1) - (b.severity === "error" ? 0 : 1));
  $("problems").replaceChildren(...sorted.map((one) => {
    const place = one.line ? `${one.where === "format" ? "format " : ""}${one.line}:${one.column || 1}` : one.severity;
    const button = make("button", { type: "button" }, make("span", { className: `mark ${one.severity}`, textContent: place }), make("span", { textContent: one.message }));
    button.addEventListener("click", () => (one.where === "format" ? format : mapping).go(one));
    return make("li", {}, button);
  }));
}

function fateOf(line, isRight) {
  if (!isRight) return ["", "–"];
  if (line.misfit) return ["error", "unmatched"];
  if (line.dropped_by) return ["warning", "dropped"];
  if (line.sampled_out_by) return ["warning", "sampled"];
  return same(line.event, line.before) || !line.before ? ["good", "event"] : ["warning", "changed"];
}

function showLines(isRight) {
  const scrolled = $("lines").scrollTop;
  $("lines").replaceChildren(...state.lines.map((line, at) => {
    const [kind, word] = fateOf(line, isRight);
    const button = make("button", { type: "button", title: line.line },
      make("span", { className: `mark ${kind}`, textContent: word }), make("code", { textContent: line.line }));
    button.setAttribute("aria-pressed", at === state.chosen);
    button.addEventListener("click", () => { state.chosen = at; showLines(isRight); showChosen(); $("lines").children[at].focus(); });
    return button;
  }));
  $("lines").scrollTop = scrolled;
}

function showChosen() {
  const line = state.lines[state.chosen];
  $("example").disabled = !line || !("event" in line);
  $("fate").replaceChildren();
  $("line").replaceChildren();
  $("fields").replaceChildren();
  $("event").replaceChildren();
  if (!line) return;
  const text = line.line;
  if (line.misfit) {
    const characters = [...text];
    const at = Math.min(line.misfit.at, characters.length);
    $("line").append(characters.slice(0, at).join(""), make("mark", { textContent: characters[at] ?? " " }), characters.slice(at + 1).join(""));
    $("fate").append(make("p", { textContent: `expected here: ${line.misfit.expected}` }));
    if (line.misfit.others.length) $("fate").append(make("p", { className: "dim", textContent: `this would fit: ${line.misfit.others.join(", ")}` }));
  } else {
    $("line").textContent = text;
  }
  if (line.dropped_by) $("fate").append(make("p", { textContent: `dropped by the rule ${line.dropped_by}` }));
  if (line.sampled_out_by) $("fate").append(make("p", { textContent: `sampled out by the rule ${line.sampled_out_by}` }));
  if (line.rules && line.rules.length) $("fate").append(make("p", { className: "dim", textContent: `rules that hold: ${line.rules.join(", ")}` }));
  if (line.event || line.before) $("event").append(treeOf(line.event || {}, line.before || line.event || {}));
  for (const [name, value] of Object.entries(line.fields || {})) {
    $("fields").append(make("dt", { textContent: name }), make("dd", { textContent: spelled(value) }));
  }
}

const isMap = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const spelled = (value) => (typeof value === "string" ? value : JSON.stringify(value));
const same = (a, b) => a === b || (isMap(a) && isMap(b)
  ? Object.keys(a).length === Object.keys(b).length && Object.keys(a).every((key) => key in b && same(a[key], b[key]))
  : JSON.stringify(a) === JSON.stringify(b));

function treeOf(now, before) {
  const list = make("ul");
  for (const key of [...new Set([...Object.keys(now), ...Object.keys(before)])]) {
    const gone = !(key in now), fresh = !(key in before);
    const value = gone ? before[key] : now[key];
    const item = make("li", {}, make("b", { textContent: key }), ": ");
    if (isMap(value)) {
      item.append(treeOf(gone ? {} : value, fresh ? {} : isMap(before[key]) ? before[key] : {}));
    } else {
      if (!gone && !fresh && !same(value, before[key])) {
        item.className = "altered";
        item.append(make("del", { textContent: spelled(before[key]) }));
      } else if (gone || fresh) {
        item.className = gone ? "removed" : "added";
        item.title = gone ? "not any more" : "new";
      }
      item.append(make("span", { className: typeof value === "string" ? "string" : "atom", textContent: spelled(value) }));
    }
    list.append(item);
  }
  return list;
}

// -- completion

function placeOf(text) {
  // The dotted keys above the cursor, by indentation; `-` for a list's member.
  const lines = text.split("\n");
  let indent = lines[lines.length - 1].search(/\S|$/);
  const last = lines[lines.length - 1];
  const place = [];
  if (/^\s*- /.test(last)) { place.unshift("-"); }
  for (let at = lines.length - 2; at >= 0; at--) {
    const found = /^(\s*)(- )?([^\s:#'"][^:#]*|"[^"]*"):(\s|$)/.exec(lines[at]);
    if (!found) continue;
    const inner = found[1].length + (found[2] || "").length;
    if (found[2] && inner === indent && place[0] !== "-") { place.unshift("-"); indent = found[1].length; continue; }
    if (inner < indent || (inner === indent && place[0] === "-" && !found[2])) {
      place.unshift(found[3]);
      if (found[2]) place.unshift("-");
      indent = found[2] ? found[1].length : inner;
    }
  }
  const flow = /(\w+)\s*:\s*\{[^{}]*$/.exec(last) || (/^\s*- \{[^{}]*$/.test(last) ? [null, null] : null);
  if (flow && flow[1]) place.push(flow[1]);
  return place;
}

function keysAt(place) {
  const known = state.words.keys;
  const names = place.map((one) => one);
  if (names.join(".") in known) return known[names.join(".")];
  for (let at = 0; at < names.length; at++) {
    const wild = [...names.slice(0, at), "*", ...names.slice(at + 1)].join(".");
    if (wild in known) return known[wild];
  }
  return null;
}

function complete(text, explicit) {
  const reference = /\$(\{)?([A-Za-z0-9_.-]*)$/.exec(text);
  const asked = (from, options, validFor) => ({ from, options, validFor });
  if (reference) {
    const options = Object.entries(state.words.fields).map(([label, detail]) => ({ label, detail }));
    return asked(reference[2].length, options, /^[A-Za-z0-9_.-]*$/);
  }
  const filter = /\$\{[^{}|]+(?:\|\w+)*\|(\w*)$/.exec(text);
  if (filter) return asked(filter[1].length, state.words.filters.map((label) => ({ label })), /^\w*$/);
  const base = /^extends:\s*(\S*)$/m.exec(text.split("\n").pop());
  if (base) return asked(base[1].length, state.words.mappings.map((label) => ({ label })), /^\S*$/);
  const word = /(?:^|[\s{,-])([A-Za-z_]*)$/.exec(text);
  if (!word || (!word[1] && !explicit) || /:\s+[^{\s][^{]*$/.test(text.split("\n").pop())) return null;
  const keys = keysAt(placeOf(text));
  if (!keys) return null;
  return asked(word[1].length, Object.entries(keys).map(([label, detail]) => ({ label, detail, apply: `${label}: ` })), /^[A-Za-z_]*$/);
}

function completeFormat(text, explicit) {
  const word = /^[\w-]*$/.exec(text);
  return word && (word[0] || explicit) ? { from: word[0].length, options: state.words.formats.map((label) => ({ label })), validFor: /^[\w-]*$/ } : null;
}

// -- doing

async function save(over) {
  const text = mapping.text();
  const found = await ask("save", { mapping: text, over, base: state.saved });
  if (found.changed) return showChanged(found.error);
  if (found.error) return tell(found.error);
  state.saved = text;
  $("changed").hidden = true;
  tell(`saved ${found.saved}`);
  showSaving();
  edited();
}

function showChanged(text) {
  $("changed-text").textContent = text;
  $("changed").hidden = false;
}

async function watch() {
  if (state.file && !document.hidden) {
    const found = await ask("changed");
    if (found.changed && $("changed").hidden) showChanged(`${state.file} was changed by somebody else.`);
  }
  setTimeout(watch, LOOK_MS);
}

async function start() {
  const opened = await ask("start");
  if (opened.error) return tell(opened.error);
  Object.assign(state, { words: opened.words, saved: opened.mapping, file: opened.file, log: opened.log, note: opened.note });
  const text = keptText(opened);
  $("log").textContent = `${opened.log}, the newest ${opened.lines.toLocaleString("en")} lines${opened.damage ? `; it ${opened.damage}` : ""}`;
  $("file").textContent = opened.file.split("/").pop();
  $("file").title = opened.file;
  tell("");
  format = makeEditor({ parent: $("format"), text: text.format, label: "Format", nonce, onChange: edited, complete: completeFormat });
  mapping = makeEditor({ parent: $("mapping"), text: text.mapping, label: "Mapping", nonce, onChange: edited, complete });
  $("save").addEventListener("click", () => save(false));
  $("over").addEventListener("click", () => save(true));
  $("take").addEventListener("click", async () => {
    const found = await ask("reload", {});
    if (found.error) return tell(found.error);
    state.saved = found.mapping;
    mapping.replace(found.mapping);
    $("changed").hidden = true;
    edited();
  });
  $("example").addEventListener("click", async () => {
    const line = state.lines[state.chosen ?? 0];
    const found = await ask("example", { format: format.text(), mapping: mapping.text(), line: line.line });
    if (found.error) return tell(found.error);
    mapping.replace(found.mapping);
  });
  $("paste").addEventListener("click", () => {
    const hidden = ($("pasted-box").hidden = !$("pasted-box").hidden);
    $("paste").setAttribute("aria-expanded", !hidden);
    $("paste").textContent = hidden ? "Paste others" : "Back to the log";
    if (hidden) { state.pasted = null; edited(); } else $("pasted").focus();
  });
  $("pasted").addEventListener("input", () => {
    const lines = $("pasted").value.split("\n").filter(Boolean);
    state.pasted = lines.length ? lines : null;
    edited();
  });
  $("theme").addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    document.documentElement.dataset.theme = dark ? "light" : "dark";
  });
  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "s") { event.preventDefault(); if (!$("save").disabled) save(false); }
  });
  addEventListener("beforeunload", (event) => { if (state.file && mapping.text() !== state.saved) event.preventDefault(); });
  showSaving();
  await look();
  await measure();
  document.body.dataset.ready = "";
  watch();
}

start();
