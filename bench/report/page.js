"use strict";
// Draws charts, an array of report.Chart, with uPlot.

const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const digits = v => {
  const a = Math.abs(v);
  if (a === 0) return "0";
  if (a >= 100) return Math.round(v).toLocaleString("en-US");
  if (a >= 10) return String(+v.toFixed(1));
  return String(+v.toPrecision(2));
};
const scaled = (v, steps) => {
  const [size, unit] = steps.find(([s]) => Math.abs(v) >= s) || steps[steps.length - 1];
  return digits(v / size) + " " + unit;
};
const units = {
  "µs": v => scaled(v, [[1e6, "s"], [1e3, "ms"], [1, "µs"]]),
  "B": v => v === 0 ? "0" : scaled(v, [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]]),
  "/s": v => v >= 1e4 ? digits(v / 1e3) + "k/s" : digits(v) + "/s",
  "cores": v => digits(v),
};
const exact = {...units, "/s": v => digits(v) + "/s", "cores": v => digits(v) + " cores"};
// x is 1/(1-q): 100 is 99 %.
const percentile = x => x < 1.0001 ? "least" : +(100 - 100 / x).toPrecision(Math.max(2, Math.ceil(Math.log10(x)) + 1)) + " %";
const axes = {
  seconds: {label: "seconds since the end of the warm-up", show: v => digits(v), exact: v => "second " + digits(v)},
  percentile: {label: "percentile", show: percentile, exact: percentile},
  connections: {label: "connections", show: v => digits(v), exact: v => digits(v) + " connections"},
};

// phases draws the bands of a chart, and its level.
function phases(chart) {
  return {hooks: {drawClear: [u => {
    const {ctx, bbox} = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.font = 11 * devicePixelRatio + "px system-ui, sans-serif";
    ctx.textAlign = "left";
    ctx.textBaseline = "top";
    (chart.bands || []).forEach((b, i) => {
      const from = u.valToPos(b.from, "x", true), to = u.valToPos(b.to, "x", true);
      if (i % 2) {
        ctx.globalAlpha = 0.6;
        ctx.fillStyle = css("--grid");
        ctx.fillRect(from, bbox.top, to - from, bbox.height);
        ctx.globalAlpha = 1;
      }
      ctx.fillStyle = css("--soft");
      ctx.fillText(b.name, Math.max(from, bbox.left) + 6 * devicePixelRatio, bbox.top + 4 * devicePixelRatio);
    });
    ctx.restore();
  }], draw: [u => {
    if (!chart.level) return;
    const {ctx, bbox} = u, y = u.valToPos(chart.level.value, "y", true);
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = css("--soft");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.font = 11 * devicePixelRatio + "px system-ui, sans-serif";
    ctx.textAlign = "right";
    ctx.textBaseline = "bottom";
    ctx.fillText(chart.level.name + " " + exact[chart.y](chart.level.value), bbox.left + bbox.width - 6 * devicePixelRatio, y - 2 * devicePixelRatio);
    ctx.restore();
  }]}};
}

function options(chart, width) {
  const axis = axes[chart.xAxis];
  const font = "12px system-ui, sans-serif";
  const common = {stroke: css("--soft"), grid: {stroke: css("--grid"), width: 1}, ticks: {stroke: css("--grid"), width: 1}, font, labelFont: font};
  const x = {...common, label: axis.label, labelSize: 20, size: 36, values: (u, vs) => vs.map(v => v === null ? "" : axis.show(v))};
  if (chart.xAxis === "percentile") {
    x.splits = u => {
      const out = [1, 2, 10];
      for (let v = 100; v <= u.scales.x.max * 1.001; v *= 10) out.push(v);
      if (width >= 640) return out;
      return out.filter(v => v !== 2 && (out.length < 6 || Math.round(Math.log10(v)) % 2 === 0));
    };
    x.filter = (u, splits) => splits;
  } else {
    x.incrs = [1, 2, 5].flatMap(v => [v, v * 10, v * 100, v * 1e3, v * 1e4, v * 1e5]).sort((a, b) => a - b);
  }
  let top = 0;
  for (const l of chart.lines) for (const v of l.values) top = Math.max(top, v || 0);
  if (chart.level) top = Math.max(top, chart.level.value);
  const one = chart.x.length === 1;
  return {
    width, height: 300, padding: [null, 28, null, null],
    legend: {live: true},
    cursor: {y: false, points: {size: 7}},
    scales: {
      x: {time: false, distr: chart.xAxis === "percentile" ? 3 : 1},
      y: chart.log ? {distr: 3} : {range: [0, top * 1.1 || 1]},
    },
    axes: [x, {...common, size: 72, values: (u, vs) => vs.map(v => v === null ? "" : units[chart.y](v))}],
    series: [
      {label: chart.xAxis === "seconds" ? "time" : axis.label, value: (u, v) => v === null ? "–" : axis.exact(v)},
      ...chart.lines.map(l => ({
        label: l.name, stroke: css("--c" + l.color % 6), width: 2, spanGaps: true,
        dash: l.color >= 6 ? [6, 4] : undefined,
        points: {show: one || chart.x.length <= 12 ? true : undefined, size: 6},
        value: (u, v) => v === null || v === undefined ? "–" : exact[chart.y](v),
      })),
    ],
    plugins: [phases(chart)],
  };
}

const drawn = charts.map((chart, i) => ({chart, box: document.getElementById("chart" + i), plot: null}));

function draw(d, width = d.box.clientWidth) {
  if (d.plot) d.plot.destroy();
  d.plot = new uPlot(options(d.chart, width), [d.chart.x, ...d.chart.lines.map(l => l.values)], d.box);
}

const redraw = () => drawn.forEach(d => draw(d));
redraw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
let width = innerWidth;
// On paper: as wide as a page is, in the colours of paper.
const paper = 660;
matchMedia("print").addEventListener("change", e => drawn.forEach(d => draw(d, e.matches ? paper : undefined)));
addEventListener("resize", () => {
  if (innerWidth !== width) {
    width = innerWidth;
    redraw();
  }
});
