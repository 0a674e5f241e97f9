// Curves of many runs on one pair of axes: uPlot draws axes, cursor and selection, this draws the lines, each over
// points of its own.

const kSynced = uPlot.sync("curves");

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Exponential averages, corrected for their beginning.
export function smoothed(values, weight) {
  if (weight <= 0) return values;
  let sum = 0, total = 0;
  return values.map((value) => {
    if (value === null) return null;
    sum = weight * sum + (1 - weight) * value;
    total = weight * total + (1 - weight);
    return sum / total;
  });
}

// The least and the largest value, which are infinite where there is none.
export function range(lists, isLog) {
  let least = Infinity, largest = -Infinity;
  for (const list of lists) {
    for (const value of list) {
      if (value === null || (isLog && value <= 0)) continue;
      if (value < least) least = value;
      if (value > largest) largest = value;
    }
  }
  return [least, largest];
}

function extent(lists, isLog) {
  const [least, largest] = range(lists, isLog);
  if (!(least <= largest)) return isLog ? [1, 10] : [0, 1];
  if (least < largest) return [least, largest];
  return isLog ? [least / 2, least * 2] : [least - (Math.abs(least) / 10 || 1), least + (Math.abs(least) / 10 || 1)];
}

// A little room on both sides.
function padded([least, largest], isLog) {
  if (isLog) return [least / 1.05, largest * 1.05];
  const room = (largest - least) * 0.04 || Math.abs(largest) * 0.1 || 1;
  return [least - room, largest + room];
}

function short(value) {
  if (value === null || value === undefined) return "";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(1);
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(4))}k`;
  return String(Number(value.toPrecision(5)));
}

function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)}s`;
  if (seconds < 5400) return `${Number((seconds / 60).toPrecision(3))}m`;
  return `${Number((seconds / 3600).toPrecision(3))}h`;
}

export class Panel {
  // `onNear(run or null)` is told which line the pointer is at; `onZoom(from, to)` which stretch was chosen, or
  // nothing for all of it.
  constructor(host, title, isWide, { onNear, onZoom }) {
    this.lines = [];
    this.view = { x: "step", logX: false, logY: false };
    this.near = null;
    this.onNear = onNear;
    this.onZoom = onZoom;
    this.root = document.createElement("div");
    this.root.className = isWide ? "panel wide" : "panel";
    this.root.innerHTML = "<h2></h2><div></div>";
    this.root.firstChild.append(title, document.createElement("span"));
    this.readout = this.root.querySelector("span");
    this.body = this.root.lastChild;
    this.height = isWide ? 340 : 220;
    host.append(this.root);
    new ResizeObserver(() => this.plot?.setSize({ width: this.body.clientWidth, height: this.height })).observe(this.body);
  }

  // lines: {run, colour, x, raw, smooth}
  show(lines, view) {
    const isNew = !this.plot || view.logX !== this.view.logX || view.logY !== this.view.logY || view.x !== this.view.x || view.theme !== this.view.theme;
    this.lines = lines;
    this.view = { ...view };
    this.xs = extent(lines.map((line) => line.x), view.logX);
    this.ys = padded(extent(lines.map((line) => line.smooth), view.logY), view.logY);
    if (isNew) this.build();
    else this.plot.setData([this.xs, [null, null]]);
  }

  build() {
    this.plot?.destroy();
    const { x, logX, logY } = this.view;
    const axis = { stroke: css("--muted"), grid: { stroke: css("--line"), width: 1 }, ticks: { show: false }, font: `12px ${css("--sans")}` };
    const options = {
      width: this.body.clientWidth || 400,
      height: this.height,
      legend: { show: false },
      cursor: { sync: { key: kSynced.key }, points: { show: false }, drag: { x: true, y: false } },
      scales: {
        x: { time: false, distr: logX ? 3 : 1, range: () => this.zoom ?? this.xs },
        y: { distr: logY ? 3 : 1, range: () => this.ys },
      },
      axes: [
        { ...axis, size: 34, values: (_, ticks) => ticks.map(x === "time" ? (value) => duration(value) : short) },
        { ...axis, size: 58, values: (_, ticks) => ticks.map(short) },
      ],
      series: [{}, { show: true, paths: () => null, points: { show: false } }],
      hooks: {
        draw: [() => this.draw()],
        setCursor: [() => this.point()],
        setSelect: [(plot) => this.select(plot)],
      },
    };
    this.plot = new uPlot(options, [this.xs, [null, null]], this.body);
    this.plot.over.addEventListener("dblclick", () => this.onZoom());
  }

  select(plot) {
    if (plot.select.width < 4) return;
    const from = plot.posToVal(plot.select.left, "x"), to = plot.posToVal(plot.select.left + plot.select.width, "x");
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    this.onZoom(from, to);
  }

  setZoom(zoom) {
    this.zoom = zoom;
    this.plot?.setData([this.xs, [null, null]]);
  }

  draw() {
    const { ctx, bbox } = this.plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.lineJoin = "round";
    const ratio = devicePixelRatio || 1;
    for (const line of this.lines) {
      const isNear = line.run === this.near;
      const dims = this.near !== null && !isNear && this.lines.length > 1;
      ctx.strokeStyle = line.colour;
      if (line.raw !== line.smooth && this.lines.length <= 40) {
        ctx.globalAlpha = dims ? 0.05 : 0.22;
        ctx.lineWidth = ratio;
        this.trace(line.x, line.raw);
      }
      ctx.globalAlpha = dims ? 0.25 : 1;
      ctx.lineWidth = (isNear ? 2.6 : this.lines.length > 40 ? 1 : 1.7) * ratio;
      this.trace(line.x, line.smooth);
    }
    ctx.restore();
  }

  trace(xs, ys) {
    const { ctx } = this.plot;
    const { logX, logY } = this.view;
    let isDown = false;
    ctx.beginPath();
    for (let i = 0; i < xs.length; ++i) {
      if (ys[i] === null || (logY && ys[i] <= 0) || (logX && xs[i] <= 0)) {
        isDown = false;
        continue;
      }
      const x = this.plot.valToPos(xs[i], "x", true), y = this.plot.valToPos(ys[i], "y", true);
      if (isDown) ctx.lineTo(x, y);
      else ctx.moveTo(x, y);
      isDown = true;
    }
    ctx.stroke();
    if (xs.length > 40) return;
    ctx.fillStyle = ctx.strokeStyle;
    for (let i = 0; i < xs.length; ++i) {
      if (ys[i] === null || (logY && ys[i] <= 0) || (logX && xs[i] <= 0)) continue;
      ctx.beginPath();
      ctx.arc(this.plot.valToPos(xs[i], "x", true), this.plot.valToPos(ys[i], "y", true), 1.6 * ctx.lineWidth, 0, 2 * Math.PI);
      ctx.fill();
    }
  }

  // Which line is at the pointer, and what it says there.
  point() {
    const { left, top } = this.plot.cursor;
    if (left === undefined || left < 0) {
      this.readout.textContent = "";
      return this.setNear(null);
    }
    const x = this.plot.posToVal(left, "x");
    let best = null, distance = 40;
    for (const line of this.lines) {
      let low = 0, high = line.x.length - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (line.x[middle] < x) low = middle + 1;
        else high = middle;
      }
      if (line.smooth[low] === null || line.smooth[low] === undefined) continue;
      const away = Math.abs(this.plot.valToPos(line.smooth[low], "y") - top);
      if (away < distance) [best, distance] = [{ line, at: low }, away];
    }
    this.readout.textContent = best ? `${best.line.name} · ${short(best.line.x[best.at])}: ${short(best.line.smooth[best.at])}` : "";
    this.setNear(best?.line.run ?? null);
  }

  setNear(run) {
    if (run === this.near) return;
    this.near = run;
    this.plot.redraw(false);
    this.onNear(run);
  }
}
