// Draws the lanes on the canvas.

const pen = canvas.getContext("2d");
let colours = {};

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const names = ["panel", "ink", "dim", "line", "faint", "invalid", "ok", "fail", "info", "kill", "pause", "partition",
    "other", "leader", "on-leader", "follower", "looking", "unreachable"];
  colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

const SMALL = "11px system-ui, sans-serif", NORMAL = "12px system-ui, sans-serif";
const faultColour = (fault) => colours[fault.kind.split(":")[0]] ?? colours.other;
const painters = { axis: drawAxis, faults: drawFaults, node: drawNode, client: drawClient, latency: drawLatency, rate: drawRate, bottom: drawBottom };

function draw() {
  const scale = window.devicePixelRatio || 1;
  measured = canvas.clientWidth;
  canvas.style.height = `${layout.height}px`;
  canvas.width = width() * scale;
  canvas.height = layout.height * scale;
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.fillStyle = colours.panel;
  pen.fillRect(0, 0, width(), layout.height);
  inPlot(drawBehind);
  for (const part of layout.parts) painters[part.type](part);
  inPlot(drawFront);
}

/** Draws without leaving the plot. */
function inPlot(paint) {
  pen.save();
  pen.beginPath();
  pen.rect(GUTTER, 0, plotWidth(), layout.height);
  pen.clip();
  paint();
  pen.restore();
}

function text(words, x, y, { colour = colours.dim, align = "left", font = SMALL } = {}) {
  pen.fillStyle = colour;
  pen.textAlign = align;
  pen.font = font;
  pen.fillText(words, x, y);
}

/** A text that is left out where it has no room. */
function textWithin(words, from, to, y, options) {
  pen.font = options?.font ?? SMALL;
  const start = Math.max(from, GUTTER) + 5;
  if (start + pen.measureText(words).width + 4 <= Math.min(to, width() - MARGIN)) text(words, start, y, options);
}

function line(x0, y0, x1, y1, colour, dash = []) {
  pen.strokeStyle = colour;
  pen.lineWidth = 1;
  pen.setLineDash(dash);
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
  pen.setLineDash([]);
}

function hatch(colour) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 6;
  const brush = tile.getContext("2d");
  brush.strokeStyle = colour;
  brush.lineWidth = 1.2;
  brush.beginPath();
  for (const at of [-6, 0, 6]) { brush.moveTo(at, 6); brush.lineTo(at + 6, 0); }
  brush.stroke();
  return pen.createPattern(tile, "repeat");
}

// --- Behind and in front of everything: phases, faults, the violation.

function drawBehind() {
  const bottom = layout.height - 24;
  data.phases.forEach(([name, at], number) => {
    const next = data.phases[number + 1]?.[1] ?? END;
    if (name !== "load") { pen.fillStyle = colours.faint; pen.fillRect(xOf(at), 0, xOf(next) - xOf(at), bottom); }
  });
  const top = layout.parts.find((part) => ["client", "latency", "bottom"].includes(part.type)).y;
  for (const fault of data.faults.filter((one) => one.outcome !== "skipped")) {
    const x = xOf(fault.from), w = Math.max(1, xOf(fault.to) - x);
    pen.globalAlpha = fault.outcome === "installed" ? 0.1 : 0.16;
    pen.fillStyle = fault.outcome === "installed" ? faultColour(fault) : hatch(faultColour(fault));
    pen.fillRect(x, top, w, bottom - top);
    pen.globalAlpha = 1;
  }
  for (const { at } of ticks()) line(xOf(at), 36, xOf(at), bottom, colours.line);
}

function drawFront() {
  data.witnesses.forEach((witness, number) => {
    if (number === 0) for (const at of [witness.from, witness.to]) line(xOf(at), 20, xOf(at), layout.height - 24, colours.invalid, [3, 3]);
    pen.fillStyle = colours.invalid;
    pen.fillRect(xOf(witness.from), 19, Math.max(2, xOf(witness.to) - xOf(witness.from)), 3);
  });
}

// --- The time axis.

/** Round times, about 110 pixels apart. */
function ticks() {
  const least = (view.to - view.from) * 110 / plotWidth();
  const power = 10 ** Math.floor(Math.log10(least));
  const round = [1, 2, 5, 10].map((n) => n * power).find((size) => size >= least);
  const step = POSITIONS ? Math.max(1, round) : round;
  const digits = Math.max(0, Math.ceil(-Math.log10(step / 1e6) - 1e-9));
  const list = [];
  for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
    list.push({ at, words: POSITIONS ? `event ${at.toLocaleString("en")}` : `${(at / 1e6).toFixed(digits)} s` });
  }
  return list;
}

function drawAxis() {
  if (data.phases.length) text("phase", GUTTER - 12, 14, { align: "right", font: NORMAL });
  inPlot(() => {
    data.phases.forEach(([name, at], number) => {
      const x = xOf(at), next = xOf(data.phases[number + 1]?.[1] ?? END);
      if (number > 0) line(x, 0, x, layout.height - 24, colours.dim, [1, 3]);
      textWithin(name, x, next, 14, { font: NORMAL, colour: colours.ink });
    });
    for (const { at, words } of ticks()) textWithin(words, xOf(at) - 2, Infinity, 34);
  });
}

function drawBottom(part) {
  inPlot(() => { for (const { at, words } of ticks()) textWithin(words, xOf(at) - 2, Infinity, part.y + 15); });
}

// --- Faults and servers.

function drawFaults(part) {
  text("faults", GUTTER - 12, part.y + 19, { align: "right", font: NORMAL });
  inPlot(() => { for (const fault of data.faults) drawFault(fault, part.y + 5 + fault.row * 22); });
}

function drawFault(fault, y) {
  const x = xOf(fault.from), w = Math.max(fault.outcome === "skipped" ? 9 : 3, xOf(fault.to) - x);
  const verified = fault.outcome === "installed";
  pen.globalAlpha = verified ? 0.92 : 0.75;
  pen.fillStyle = verified ? faultColour(fault) : hatch(faultColour(fault));
  box(x, y, w, 19);
  pen.globalAlpha = 1;
  if (!verified) { pen.strokeStyle = faultColour(fault); pen.lineWidth = 1; pen.stroke(); }
  const words = xOf(fault.from) + 6 * fault.what.length + 14 < x + w ? fault.what : fault.kind;
  if (verified) textWithin(words, x, x + w, y + 13.5, { colour: "#fff" });
  else text(fault.outcome === "skipped" ? "skipped" : "not verified", x + w + 5, y + 13.5);
}

function box(x, y, w, h) {
  pen.beginPath();
  pen.roundRect(x, y, w, h, Math.min(3, w / 2));
  pen.fill();
}

function drawNode(part) {
  const { lane, y } = part;
  text(lane.node, GUTTER - 12, y + 14.5, { align: "right", font: NORMAL, colour: colours.ink });
  inPlot(() => {
    lane.roles.forEach(([at, role, number], position) => {
      drawRole(role, number, xOf(at), xOf(lane.roles[position + 1]?.[0] ?? END), y + 2);
    });
    for (const fault of data.faults.filter((one) => one.outcome !== "skipped" && one.nodes.includes(lane.node))) {
      pen.fillStyle = faultColour(fault);
      pen.fillRect(xOf(fault.from), y + 18, Math.max(2, xOf(fault.to) - xOf(fault.from)), 3);
    }
    for (const [at] of lane.exits) text("✕", xOf(at) - 4, y + 15, { colour: colours.invalid, font: "bold 15px system-ui, sans-serif" });
  });
}

function drawRole(role, number, x0, x1, y) {
  if (x1 < GUTTER || x0 > width()) return;
  pen.fillStyle = colours[role] ?? colours.other;
  pen.fillRect(x0, y, Math.max(1, x1 - x0), 16);
  const leads = role === "leader";
  const era = number === null ? "" : leads ? ` · epoch ${number}` : ` · ${number}`;
  const options = { colour: leads ? colours["on-leader"] : colours.dim };
  pen.font = SMALL;
  const wide = pen.measureText(role + era).width + 9 < x1 - x0;
  textWithin(wide ? role + era : number === null ? "" : `${number}`, x0, x1, y + 12, options);
}

// --- Clients.

function drawClient(part) {
  const { client, lane, y, height } = part;
  const name = client >= data.final_from ? `final ${oneNode(ops.lanes[lane])}` : `client ${client}`;
  const every = Math.ceil(13 / height);
  if (lane % every === 0) text(name, GUTTER - 12, y + Math.max(9, height / 2 + 4), { align: "right", font: NORMAL });
  inPlot(() => drawOps(ops.lanes[lane], y + 1, Math.max(2, height - 3)));
}

/** The server that a lane's operations asked, or as many as there are. */
function oneNode(lane) {
  const nodes = [...new Set(lane.map((at) => ops.node[at]))].filter((node) => node >= 0);
  return nodes.map((node) => data.names[node]).join(" ");
}

function drawOps(lane, y, height) {
  const visible = [];
  for (let n = Math.max(0, firstFrom(lane, view.from) - 1); n < lane.length && ops.start[lane[n]] <= view.to; n++) visible.push(lane[n]);
  // Unknown ones last, so that they are never hidden.
  for (const kind of [0, 1, 2]) {
    pen.fillStyle = colours[KINDS[kind]];
    let drawn = -Infinity; // what lies within one pixel is drawn once
    for (const at of visible) {
      const x = xOf(ops.start[at]), w = barWidth(at);
      if (ops.kind[at] !== kind || x + w < drawn + 0.5) continue;
      pen.fillRect(x, y, w, height);
      drawn = x + w;
    }
  }
  visible.forEach((at, n) => { if (ops.kind[at] === 2) drawTail(at, visible[n + 1], y, height); });
  for (const at of visible) if (marked.has(at)) drawMark(at, y, height);
  if (height >= 11) for (const at of visible) drawLabel(at, y + height / 2 + 4);
}

const barWidth = (at) => {
  const full = xOf(opEnd(at)) - xOf(ops.start[at]);
  return full > 4 ? full - 0.7 : Math.max(1, full);
};

/** What is unknown may still happen: the bar fades out until the lane's next operation. */
function drawTail(at, next, y, height) {
  const x0 = xOf(opEnd(at)), x1 = Math.min(x0 + 90, next === undefined ? Infinity : xOf(ops.start[next]));
  if (x1 - x0 < 1) return;
  const fade = pen.createLinearGradient(x0, 0, x0 + 90, 0);
  fade.addColorStop(0, colours.info);
  fade.addColorStop(1, "transparent");
  pen.globalAlpha = 0.45;
  pen.fillStyle = fade;
  pen.fillRect(x0, y, x1 - x0, height);
  pen.globalAlpha = 1;
}

function drawMark(at, y, height) {
  const x = xOf(ops.start[at]);
  pen.strokeStyle = colours.invalid;
  pen.lineWidth = 2;
  pen.strokeRect(x - 1.5, y - 0.5, Math.max(3, barWidth(at)) + 3, height + 1);
}

function drawLabel(at, y) {
  const x = xOf(ops.start[at]), w = barWidth(at);
  if (w > 40) textWithin(ops.label[at], x, x + w, y, { colour: colours.ink });
}

// --- Latency, on a logarithmic scale: a point per operation, and percentiles.

const decades = latencyRange();

function latencyRange() {
  let low = Infinity, high = 0;
  for (const took of ops.took) if (took >= 0) { low = Math.min(low, Math.max(took, 1)); high = Math.max(high, took, 1); }
  if (high === 0) return { low: 2, high: 6 };
  const from = Math.floor(Math.log10(low)), to = Math.ceil(Math.log10(high) + 1e-9);
  return { low: from, high: Math.max(to, from + 2) };
}

function latencyY(part, took) {
  const share = (Math.log10(Math.max(took, 1)) - decades.low) / (decades.high - decades.low);
  return part.y + part.height - share * part.height;
}

function drawLatency(part) {
  text("latency", 14, part.y + 10, { font: NORMAL, colour: colours.ink });
  for (let power = decades.low; power <= decades.high; power++) {
    const y = latencyY(part, 10 ** power);
    text(power >= 6 ? `${10 ** (power - 6)} s` : power >= 3 ? `${10 ** (power - 3)} ms` : `${10 ** power} µs`, GUTTER - 8, y + 4, { align: "right" });
    line(GUTTER, y, width() - MARGIN, y, colours.line);
  }
  inPlot(() => {
    for (const kind of [0, 1, 2]) drawPoints(part, kind);
    const bins = latencyBins(binSize(20));
    drawPercentile(part, bins, 0.5, []);
    drawPercentile(part, bins, 0.99, [4, 3]);
  });
}

/** A point per operation of one kind; those that would cover each other are drawn once. */
function drawPoints(part, kind) {
  const size = kind === 2 ? 3 : 2, covered = new Set();
  pen.globalAlpha = kind === 2 ? 1 : 0.5;
  pen.fillStyle = colours[KINDS[kind]];
  for (let at = 0; at < ops.n; at++) {
    if (ops.kind[at] !== kind || ops.took[at] < 0 || ops.start[at] < view.from || ops.start[at] > view.to) continue;
    const x = Math.round(xOf(ops.start[at])), y = Math.round(latencyY(part, ops.took[at]));
    if (covered.size === covered.add(x * 4096 + y).size) continue;
    pen.fillRect(x - 1, y - 1, size, size);
  }
  pen.globalAlpha = 1;
}

/** Sorted latencies by the time at which they began, in order of time. */
function latencyBins(size) {
  const bins = new Map();
  for (let at = 0; at < ops.n; at++) {
    if (ops.took[at] < 0 || ops.start[at] < view.from - size || ops.start[at] > view.to + size) continue;
    const bin = Math.floor(ops.start[at] / size);
    if (!bins.has(bin)) bins.set(bin, []);
    bins.get(bin).push(ops.took[at]);
  }
  const sorted = [...bins].sort((a, b) => a[0] - b[0]);
  return { size, list: sorted.map(([bin, list]) => [bin, Float64Array.from(list).sort()]) };
}

function drawPercentile(part, { size, list }, share, dash) {
  pen.strokeStyle = colours.ink;
  pen.lineWidth = dash.length ? 1 : 1.6;
  pen.setLineDash(dash);
  pen.beginPath();
  let previous = NaN;
  for (const [bin, sorted] of list) {
    if (sorted.length < 5) continue;
    const point = [xOf((bin + 0.5) * size), latencyY(part, sorted[Math.floor(share * (sorted.length - 1))])];
    if (bin === previous + 1) pen.lineTo(...point); else pen.moveTo(...point);
    previous = bin;
  }
  pen.stroke();
  pen.setLineDash([]);
}

// --- Rate: completions per second, stacked.

/** A round length of time, at least `pixels` wide. */
function binSize(pixels) {
  const least = (view.to - view.from) * pixels / plotWidth();
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return [1, 2, 5, 10].map((n) => n * power).find((size) => size >= least) ?? power * 10;
}

const RATE_OVER = 50000; // a rate over less than 50 ms says nothing

function rates() {
  const size = Math.max(binSize(8), RATE_OVER), bins = new Map();
  for (let at = 0; at < ops.n; at++) {
    if (ops.took[at] < 0) continue;
    const end = opEnd(at);
    if (end < view.from - size || end > view.to + size) continue;
    const bin = Math.floor(end / size);
    if (!bins.has(bin)) bins.set(bin, [0, 0, 0]);
    bins.get(bin)[ops.kind[at]]++;
  }
  return { size, bins };
}

function drawRate(part) {
  const { size, bins } = rates();
  const most = Math.max(1, ...[...bins.values()].map((counts) => counts[0] + counts[1] + counts[2]));
  text("rate", 14, part.y + 26, { font: NORMAL, colour: colours.ink });
  if (bins.size) text(`${perSecond(most, size)} /s`, GUTTER - 8, part.y + 4, { align: "right" });
  text("0", GUTTER - 8, part.y + part.height, { align: "right" });
  inPlot(() => {
    for (const [bin, counts] of bins) {
      const x = xOf(bin * size), w = Math.max(1, xOf((bin + 1) * size) - x - 1);
      let y = part.y + part.height;
      counts.forEach((n, kind) => {
        const height = n / most * part.height;
        y -= height;
        pen.fillStyle = colours[KINDS[kind]];
        pen.fillRect(x, y, w, height);
      });
    }
  });
  line(GUTTER, part.y + part.height + 0.5, width() - MARGIN, part.y + part.height + 0.5, colours.line);
}

// --- Start.

readColours();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); redraw(); });
new ResizeObserver(redraw).observe($("chart"));
addEventListener("hashchange", showAddress);
showAddress();
