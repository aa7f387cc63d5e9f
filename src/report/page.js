// The lanes: reads the data, keeps the view, answers the pointer and the keys. draw.js draws.
// Times are microseconds since the start of the run.

const $ = (id) => document.getElementById(id);
window.addEventListener("error", (event) => {
  $("trouble").hidden = false;
  $("trouble").textContent = `The lanes could not be drawn (${event.message}). The rest of this page is complete without them.`;
});

$("chart").hidden = false;
const data = JSON.parse($("data").textContent);
const ops = decode(data.ops);
const canvas = $("canvas");
const GUTTER = 104, MARGIN = 14;
const KINDS = ["ok", "fail", "info"];
const POSITIONS = data.by_position; // times are positions among the events, not microseconds
const UNIT = POSITIONS ? 1 : 1e6;
const START = POSITIONS ? data.start : 0;
const END = data.end > START ? data.end : START + (POSITIONS ? 1 : 1e6); // an empty history still has an axis
const SMALLEST = POSITIONS ? 5 : 50; // the closest view

/** Running sums of the columns that hold differences, and each client's operations. */
function decode(columns) {
  const sums = (column) => { let sum = 0; return Float64Array.from(column, (x) => (sum += x)); };
  const lanes = data.clients.map(() => []);
  columns.client.forEach((client, at) => lanes[client].push(at));
  return { ...columns, n: columns.start.length, start: sums(columns.start), number: sums(columns.number), lanes };
}

const opEnd = (at) => ops.took[at] < 0 ? END : ops.start[at] + ops.took[at];
const marked = new Set(data.witnesses.flatMap((witness) => witness.ops));

// --- Layout: from top to bottom. Each part knows its y and height.

const layout = plan();

function plan() {
  let y = 0;
  const parts = [];
  const part = (type, height, more) => { parts.push({ type, y, height, ...more }); y += height; };
  part("axis", 38);
  const rows = stack(data.faults);
  if (data.faults.length) part("faults", rows * 22 + 10, { rows });
  data.nodes.forEach((lane, at) => part("node", 23, { lane, last: at === data.nodes.length - 1 }));
  y += 12;
  const n = data.clients.length;
  const height = n <= 16 ? 19 : n <= 40 ? 14 : n <= 120 ? 8 : 4;
  data.clients.forEach((client, lane) => {
    if (client === data.final_from) y += 8;
    part("client", height, { client, lane });
  });
  y += 16;
  if (!POSITIONS) {
    part("latency", 170);
    y += 26;
    part("rate", 96);
  }
  part("bottom", 24);
  return { parts, height: y };
}

/** Gives each fault the first row that is free; returns the number of rows. */
function stack(faults) {
  const free = [];
  for (const fault of faults) {
    const room = fault.outcome === "installed" ? Math.max(fault.to, fault.from + END / 30) : fault.to + END / 13;
    let row = free.findIndex((end) => end <= fault.from);
    if (row < 0) row = free.length;
    free[row] = room;
    fault.row = row;
  }
  return free.length;
}

// --- View: what part of the run is shown.

let view = { from: START, to: END };
let drag = null;

let measured = canvas.clientWidth; // asked once per drawing: it costs a layout
const width = () => measured;
const plotWidth = () => Math.max(50, width() - GUTTER - MARGIN);
const xOf = (time) => GUTTER + (time - view.from) / (view.to - view.from) * plotWidth();
const timeOf = (x) => view.from + (x - GUTTER) / plotWidth() * (view.to - view.from);

function show(from, to) {
  const length = Math.min(END - START, Math.max(SMALLEST, to - from));
  const start = Math.min(Math.max(START, from), END - length);
  view = { from: start, to: start + length };
  $("range").textContent = `${clock(view.from)} – ${clock(view.to)}`;
  clearTimeout(remember);
  remember = setTimeout(rememberView, 400);
  redraw();
}

/** Keeps the view in the address, in seconds or positions, so that a link can point at a moment. */
let remember = 0;
function rememberView() {
  const whole = view.from === START && view.to === END;
  const hash = whole ? "#" : `#${(view.from / UNIT).toFixed(6)}-${(view.to / UNIT).toFixed(6)}`;
  if (whole ? location.hash : location.hash !== hash) history.replaceState(null, "", hash);
}

function showAddress() {
  const [, from, to] = location.hash.match(/^#([\d.]+)-([\d.]+)$/) ?? [];
  if (to > from * 1) show(from * UNIT, to * UNIT); else show(START, END);
}

function zoom(factor, around = (view.from + view.to) / 2) {
  show(around - (around - view.from) * factor, around + (view.to - around) * factor);
}

function move(share) {
  const by = (view.to - view.from) * share;
  show(view.from + by, view.to + by);
}

/** The last moments, which the whole run is too wide to show. */
function showFinalReads() {
  const [, from] = data.phases.find(([name]) => name === "final reads");
  show(from, data.phases.find(([name]) => name === "end")?.[1] ?? END);
}

function showWitness(witness) {
  const margin = Math.max((witness.to - witness.from) * 0.15, POSITIONS ? 4 : 2000);
  show(witness.from - margin, witness.to + margin);
}

let asked = false;
function redraw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; draw(); });
}

// --- Pointer, wheel, keys, buttons.

const place = (event) => {
  const box = canvas.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
};

canvas.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || event.pointerType === "touch") return;
  canvas.setPointerCapture(event.pointerId);
  const { x } = place(event);
  drag = { from: x, to: x, move: event.shiftKey, view };
});
canvas.addEventListener("pointermove", (event) => {
  const { x, y } = place(event);
  if (!drag) return hover(x, y);
  drag.to = Math.max(GUTTER, Math.min(x, width() - MARGIN));
  if (drag.move) {
    const by = (drag.from - x) / plotWidth() * (drag.view.to - drag.view.from);
    show(drag.view.from + by, drag.view.to + by);
  } else {
    showCursor(Math.min(drag.from, drag.to), Math.abs(drag.to - drag.from));
  }
});
canvas.addEventListener("pointerup", () => {
  if (!drag) return;
  const { from, to, move: moved } = drag;
  drag = null;
  if (!moved && Math.abs(to - from) > 4) show(timeOf(Math.min(from, to)), timeOf(Math.max(from, to)));
  $("cursor").hidden = true;
});
canvas.addEventListener("pointercancel", () => { drag = null; $("cursor").hidden = true; });
canvas.addEventListener("pointerleave", () => { $("tip").hidden = $("cursor").hidden = true; });
canvas.addEventListener("dblclick", () => show(START, END));
canvas.addEventListener("wheel", (event) => {
  if (event.ctrlKey || event.metaKey) {
    event.preventDefault();
    zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.01), timeOf(place(event).x));
  } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    event.preventDefault();
    move(event.deltaX / plotWidth());
  }
}, { passive: false });

const actions = {
  in: () => zoom(0.5), out: () => zoom(2), left: () => move(-0.3), right: () => move(0.3), all: () => show(START, END),
};
const keys = { "+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right", "0": "all" };
canvas.addEventListener("keydown", (event) => {
  const action = !event.ctrlKey && !event.metaKey && keys[event.key];
  if (!action) return;
  event.preventDefault();
  actions[action]();
});
$("buttons").addEventListener("click", (event) => actions[event.target.dataset.do]?.());

// --- Hover: what lies under the pointer, in words.

/** The line under the pointer, or the range that is being dragged. */
function showCursor(x, range) {
  $("cursor").hidden = false;
  $("cursor").style.left = `${x}px`;
  $("cursor").style.width = `${range}px`;
}

function hover(x, y) {
  const inside = x >= GUTTER && x <= width() - MARGIN;
  const text = inside ? explain(x, y) : "";
  if (inside) showCursor(x, 0); else $("cursor").hidden = true;
  const tip = $("tip");
  tip.hidden = !text;
  tip.textContent = text;
  if (text) {
    const right = x + 18 + tip.offsetWidth > width();
    tip.style.left = `${right ? Math.max(0, x - 18 - tip.offsetWidth) : x + 18}px`;
    tip.style.top = `${y + 16}px`;
  }
}

function explain(x, y) {
  const part = layout.parts.find((one) => y >= one.y && y < one.y + one.height);
  if (!part) return "";
  const time = timeOf(x), near = 4 * (view.to - view.from) / plotWidth();
  if (part.type === "faults") return explainFault(part, time, near, y);
  if (part.type === "node") return explainNode(part.lane, time);
  if (part.type === "client") return explainOp(nearestOp(ops.lanes[part.lane], time, near));
  if (part.type === "latency") return explainOp(nearestPoint(part, x, y));
  if (part.type === "rate") return explainRate(time);
  return part.type === "axis" ? `${phaseAt(time)}${clock(time)}` : "";
}

function explainFault(part, time, near, y) {
  const row = Math.floor((y - part.y - 5) / 22);
  const fault = data.faults.find((one) => one.row === row && time >= one.from - near && time <= Math.max(one.to, one.from + near * 3));
  if (!fault) return "";
  const reason = fault.reason && `: ${fault.reason}`;
  return `${fault.kind} ${fault.id}: ${fault.what}\n${fault.outcome}${reason}\n${span(fault.from, fault.to)}`;
}

function explainNode(lane, time) {
  const now = lane.roles.filter(([at]) => at <= time).at(-1);
  const faults = data.faults.filter((one) => one.nodes.includes(lane.node) && one.from <= time && one.to >= time);
  const role = now ? `${now[1]}${epoch(now[2])} since ${clock(now[0])}` : "role not known";
  const exit = lane.exits.filter(([at]) => at <= time).at(-1);
  const ended = exit ? [`ended by itself at ${clock(exit[0])}: ${exit[1]}`] : [];
  return [`${lane.node}: ${role}`, ...ended, ...faults.map((one) => `${one.outcome} ${one.kind}: ${one.what}`)].join("\n");
}

const epoch = (number) => number === null ? "" : `, epoch ${number}`;

/** The last operation of a lane that begins before `time`, or one that is at most `near` away. */
function nearestOp(lane, time, near) {
  const after = firstFrom(lane, time);
  const before = lane[after - 1], next = lane[after];
  if (before !== undefined && opEnd(before) >= time) return before;
  const gap = (at, edge) => at === undefined ? Infinity : Math.abs(edge(at) - time);
  const best = gap(before, opEnd) < gap(next, (at) => ops.start[at]) ? before : next;
  return Math.min(gap(before, opEnd), gap(next, (at) => ops.start[at])) <= near ? best : -1;
}

/** Position in a lane of its first operation that begins at or after `time`. */
function firstFrom(lane, time) {
  let low = 0, high = lane.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ops.start[lane[middle]] < time) low = middle + 1; else high = middle;
  }
  return low;
}

function nearestPoint(part, x, y) {
  let best = -1, distance = 64;
  for (let at = 0; at < ops.n; at++) {
    if (ops.took[at] < 0) continue;
    const dx = xOf(ops.start[at]) - x;
    if (Math.abs(dx) > 8) continue;
    const dy = latencyY(part, ops.took[at]) - y;
    if (dx * dx + dy * dy < distance) { distance = dx * dx + dy * dy; best = at; }
  }
  return best;
}

function explainOp(at) {
  if (at < 0) return "";
  const name = (number) => number < 0 ? "" : data.names[number];
  const took = ops.took[at] < 0 ? "no answer" : `took ${length(ops.took[at])}`;
  const where = [name(ops.key[at]), name(ops.node[at]) && `on ${name(ops.node[at])}`].filter(Boolean).join(" ");
  const ids = [name(ops.session[at]) && `session ${name(ops.session[at])}`, ops.zxid[at] && `zxid ${ops.zxid[at]}`].filter(Boolean).join("  ");
  const lines = [
    `client ${data.clients[ops.client[at]]}: ${ops.label[at]}`, where,
    `${KINDS[ops.kind[at]]}, ${took}, from ${clock(ops.start[at], 6)}`, ids, `${POSITIONS ? "line" : "event"} ${ops.number[at]}`,
  ];
  if (marked.has(at)) lines.push("part of the violation");
  return lines.filter(Boolean).join("\n");
}

function explainRate(time) {
  const { size, bins } = rates();
  const counts = bins.get(Math.floor(time / size));
  if (!counts) return "";
  const each = counts.map((n, kind) => n && `${perSecond(n, size)} ${KINDS[kind]}`).filter(Boolean);
  return `${clock(Math.floor(time / size) * size)}\n${each.join(", ")} per second`;
}

const perSecond = (n, size) => { const rate = n * 1e6 / size; return rate < 10 ? rate.toFixed(1) : rate.toFixed(0); };

function phaseAt(time) {
  const now = data.phases.filter(([, at]) => at <= time).at(-1);
  return now ? `${now[0]}, ` : "";
}

// --- Words.

function clock(time, digits) {
  if (POSITIONS) return `event ${Math.round(time).toLocaleString("en")}`;
  const shown = digits ?? Math.max(2, Math.min(6, Math.ceil(Math.log10(20e6 / (view.to - view.from))) + 1));
  return `${(time / 1e6).toFixed(shown)} s`;
}

function length(us) {
  if (POSITIONS) return `${us.toLocaleString("en")} events`;
  if (us >= 1e6) return `${(us / 1e6).toPrecision(3)} s`;
  if (us >= 1e3) return `${(us / 1e3).toPrecision(3)} ms`;
  return `${us} µs`;
}

const span = (from, to) => `${clock(from, 3)} – ${clock(to, 3)}, ${length(to - from)}`;

// --- Start.

for (const witness of data.witnesses) {
  const button = document.createElement("button");
  button.className = "violation-button";
  button.textContent = `violation of ${witness.check}`;
  button.addEventListener("click", () => showWitness(witness));
  $("buttons").append(" ", button);
}
if (data.phases.some(([name]) => name === "final reads")) {
  const button = document.createElement("button");
  button.textContent = "final reads";
  button.addEventListener("click", showFinalReads);
  $("buttons").append(" ", button);
}
const outcomes = [["ok", "ok"], ["fail", "definite failure"], ["info", "unknown: may have happened, also later"]];
const entries = POSITIONS ? outcomes : [
  ...outcomes, ["leader", "leader"], ["follower", "follower"], ["looking", "looking"], ["unreachable", "unreachable"],
  ["kill", "kill"], ["pause", "pause"], ["partition", "partition"], ["", "skipped or not verified"],
];
for (const [name, text] of entries) {
  const entry = document.createElement("span"), colour = document.createElement("i");
  colour.style.background = name ? `var(--${name})` : "repeating-linear-gradient(-45deg, var(--dim) 0 2px, transparent 2px 5px)";
  entry.append(colour, text);
  $("legend").append(entry);
}
if (!POSITIONS) $("legend").append("latency: solid line median, dashed line 99th percentile");
$("tools").hidden = $("legend").hidden = false;
