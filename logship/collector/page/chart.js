// The chart: a drag or the keyboard marks a piece of its time, and the page then shows that piece.
"use strict";

const LEAP = 10; // bars that Page Up and Page Down go over
let dragged = null; // where a drag began, as a share of the width
let marked = null; // by the keyboard: `at` is the bar of the cursor, `anchor` the other end, both as starts in seconds
let justZoomed = false; // the click that ends a drag is none

// the starts of all bars and the end of the last one, in seconds
function edgesOf(plot) {
  return plot.dataset.edges.split(" ").map(Number);
}

function zoom(since_s, until_s) {
  const asked = new URLSearchParams(location.search);
  for (const name of ["range", "cursor"]) asked.delete(name);
  asked.set("since", new Date(since_s * 1000).toISOString());
  asked.set("until", new Date(until_s * 1000).toISOString());
  marked = null;
  go(`${location.pathname}?${asked}`, { isZoom: true });
}

// a box over the bars from one share of the width to another
function box(plot, name, one, other) {
  let made = plot.querySelector(`.${name}`);
  if (!made) {
    made = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    made.setAttribute("class", name);
    made.setAttribute("height", "150");
    plot.append(made);
  }
  made.setAttribute("x", 1000 * Math.min(one, other));
  made.setAttribute("width", 1000 * Math.abs(one - other));
}

function readyZoom() {
  const at = (pressed, plot) => {
    const frame = plot.getBoundingClientRect();
    return Math.min(Math.max((pressed.clientX - frame.left) / frame.width, 0), 1);
  };
  part.addEventListener("pointerdown", (pressed) => {
    const plot = pressed.target.closest("#plot");
    if (plot && pressed.button === 0) { dragged = at(pressed, plot); clearTimeout(timer); }
  });
  part.addEventListener("pointermove", (moved) => {
    const plot = byId("plot");
    if (dragged !== null && plot) box(plot, "band", dragged, at(moved, plot));
  });
  addEventListener("pointerup", (released) => {
    const plot = byId("plot");
    if (dragged === null || !plot) return;
    const [start, end] = [dragged, at(released, plot)].sort((a, b) => a - b);
    dragged = null;
    if (end - start < 0.01) { plot.querySelector(".band")?.remove(); timer = setTimeout(refresh, LIVE_MS); return; }
    const edges = edgesOf(plot);
    const edge = (share, round) => edges[round(share * (edges.length - 1))];
    justZoomed = true;
    zoom(edge(start, Math.floor), edge(end, Math.ceil));
  });
  part.addEventListener("dragstart", (pulled) => { if (pulled.target.closest("#plot")) pulled.preventDefault(); });
  part.addEventListener("keydown", (pressed) => {
    if (pressed.target.id === "chart" && !pressed.ctrlKey && !pressed.metaKey && !pressed.altKey) onChartKey(pressed);
  });
}

// to assistive technology the chart is a slider over its bars: it says the bar, or the bars, under the cursor
function readyChart() {
  const plot = byId("plot"), chart = byId("chart");
  if (!plot) return;
  chart.tabIndex = 0;
  chart.setAttribute("role", "slider");
  chart.setAttribute("aria-label", "Requests over time: arrow keys read the bars, Shift extends, Enter shows their time, Escape goes back");
  chart.setAttribute("aria-valuemin", "0");
  chart.setAttribute("aria-valuemax", String(edgesOf(plot).length - 2));
  chart.addEventListener("focus", showMarked);
  chart.addEventListener("blur", () => { plot.querySelector(".cursor")?.remove(); byId("marked").textContent = ""; });
  showMarked();
}

// the bars between cursor and anchor as two numbers; the last bar when none is marked or its time is not shown any more
function markedBars(edges) {
  const last = edges.length - 2;
  const [at, anchor] = marked === null ? [-1, -1] : [edges.indexOf(marked.at), edges.indexOf(marked.anchor)];
  if (at < 0 || at > last) return { at: last, low: last, high: last };
  const other = anchor < 0 || anchor > last ? at : anchor;
  return { at, low: Math.min(at, other), high: Math.max(at, other) };
}

function showMarked() {
  const plot = byId("plot"), chart = byId("chart");
  const edges = edgesOf(plot), count = edges.length - 1;
  const { at, low, high } = markedBars(edges);
  const texts = [...plot.querySelectorAll("title")].map((one) => one.textContent);
  const total = plot.dataset.totals.split(" ").slice(low, high + 1).reduce((sum, one) => sum + Number(one), 0);
  const when = (index) => (index < count ? texts[index].slice(0, texts[index].lastIndexOf(": ")) : plot.dataset.end);
  chart.setAttribute("aria-valuenow", String(at));
  chart.setAttribute("aria-valuetext", low === high ? texts[at] : `${when(low)} to ${when(high + 1)}: ${total.toLocaleString("en")} requests in ${high - low + 1} bars`);
  const isOn = chart.matches(":focus-visible"); // a click on a bar is no beginning of a walk
  byId("marked").textContent = isOn ? chart.getAttribute("aria-valuetext") : "";
  if (isOn) box(plot, "cursor", low / count, (high + 1) / count);
}

function onChartKey(pressed) {
  const edges = edgesOf(byId("plot")), last = edges.length - 2;
  const { at, low, high } = markedBars(edges);
  const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, Home: 0, End: last, PageUp: at - LEAP, PageDown: at + LEAP }[pressed.key];
  if (to !== undefined) {
    const next = Math.min(Math.max(to, 0), last);
    marked = { at: edges[next], anchor: pressed.shiftKey ? edges[at === low ? high : low] : edges[next] };
    showMarked();
  } else if (pressed.key === "Enter") {
    zoom(edges[low], edges[high + 1]);
  } else if (pressed.key === "Escape" && low !== high) {
    marked = { at: edges[at], anchor: edges[at] };
    showMarked();
  } else if (pressed.key === "Escape" && history.state?.isZoom) {
    marked = null;
    history.back();
  } else {
    return;
  }
  pressed.preventDefault();
}
