// What the server knows of the runs, and what changes.

async function get(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: status ${response.status}`);
  return response.json();
}

// Seconds or tokens by step, from what each step took: only as good as the points that the server sends, which it thins.
// Tokens of a step are its seconds times its rate, where both are known.
function summed(run, key) {
  const seconds = run.series.step_seconds, rate = run.series.tokens_per_second;
  const rates = new Map(rate?.steps.map((step, i) => [step, rate.values[i]]));
  const at = [0], sums = [0];
  seconds.steps.forEach((step, i) => {
    const each = key === "time" ? seconds.values[i] : seconds.values[i] * rates.get(step);
    if (seconds.values[i] === null || !Number.isFinite(each)) return;
    sums.push(sums.at(-1) + each * (step - at.at(-1)));
    at.push(step);
  });
  return { at, sums };
}

// Seconds by step as the server summed them up from all points.
function elapsed(run) {
  const { steps, values } = run.series.elapsed_seconds;
  const isKnown = (_, i) => values[i] !== null;
  return { at: [0].concat(steps.filter(isKnown)), sums: [0].concat(values.filter(isKnown)) };
}

// Places of the steps on the chosen axis.
function places(run, key) {
  const hasElapsed = key === "time" && run.series.elapsed_seconds;
  if (key === "step" || (!hasElapsed && !run.series.step_seconds)) return (steps) => steps;
  const { at, sums } = hasElapsed ? elapsed(run) : summed(run, key);
  if (at.length < 2) return (steps) => steps;
  return (steps) => {
    let i = 1;
    return steps.map((step) => {
      while (i < at.length - 1 && at[i] < step) ++i;
      const share = (step - at[i - 1]) / (at[i] - at[i - 1] || 1);
      return sums[i - 1] + share * (sums[i] - sums[i - 1]);
    });
  };
}

const kHidden = new Set(["elapsed_seconds"]); // series that are no curves

export class Runs {
  // `onChange(run, hasDetails)`: a run has changed, and where `hasDetails` its samples or grids too; with no run, the
  // list has. `onState(isOpen)`: whether the server can be reached.
  constructor(onChange, onState) {
    this.list = [];
    this.isLoading = false; // curves are still being fetched
    this.onChange = onChange;
    this.onState = onState;
  }

  load() {
    this.listen();
    return this.update();
  }

  // Takes the server's list over. Runs that are known stay what they are, with curves, colour and whether they are shown.
  async update(isAll = false) {
    try {
      const { runs } = await get("runs");
      const known = new Map(this.list.map((run) => [run.path, run]));
      let isNew = runs.length !== this.list.length;
      const list = runs.map((told, id) => {
        const run = this.list[id]?.path === told.path ? this.list[id] : known.get(told.path);
        known.delete(told.path);
        isNew ||= run?.id !== id;
        return Object.assign(run ?? { series: {}, isShown: true, hue: (id * 137.508 + 12) % 360 }, told, { id });
      });
      this.list = list;
      if (isNew) this.onChange(null);
      await this.fetchAll(list.filter((run) => isAll || !run.isLoaded));
    } catch {
      this.onState(false);
    }
  }

  // A few at a time, so that the first are soon there.
  async fetchAll(runs) {
    this.isLoading = true;
    const rest = [...runs];
    const worker = async () => {
      for (let run = rest.shift(); run; run = rest.shift()) await this.fetch(run);
    };
    await Promise.all(Array.from({ length: 6 }, worker));
    this.isLoading = false;
    this.onChange(null);
  }

  // Fetches a run's curves, once more where that is asked for meanwhile.
  async fetch(run) {
    if (run.missed) return void (run.isStale = true);
    try {
      do {
        run.isStale = false;
        run.missed = []; // what is added meanwhile
        const points = this.list.length > 40 ? 300 : 1500;
        const { series } = await get(`series?run=${run.id}&points=${points}`);
        run.series = series;
        run.isLoaded = true;
        for (const added of run.missed) this.append(run, added);
        this.onChange(run, true);
      } while (run.isStale);
    } catch {
      this.onState(false);
    } finally {
      run.missed = null;
    }
  }

  listen() {
    const source = new EventSource("events");
    let wasLost = false;
    source.onopen = () => {
      this.onState(true);
      if (wasLost) this.update(true); // nobody told what happened meanwhile
      wasLost = false;
    };
    source.onerror = () => {
      wasLost = true;
      this.onState(false);
    };
    source.onmessage = ({ data }) => {
      const told = JSON.parse(data);
      if (told.runs) this.update();
      const run = this.list[told.run];
      if (!run) return;
      if (told.reload && (run.isLoaded || run.missed)) this.fetch(run);
      if (told.added && run.missed) {
        run.missed.push(told.added);
      } else if (told.added && run.isLoaded) {
        this.append(run, told.added);
        this.onChange(run);
      }
      if (told.samples || told.grids) this.onChange(run, true);
    };
  }

  append(run, added) {
    for (const [key, { steps, values }] of Object.entries(added)) {
      const known = (run.series[key] ??= { steps: [], values: [] });
      const last = known.steps.at(-1) ?? -1;
      steps.forEach((step, i) => {
        if (step <= last) return;
        known.steps.push(step);
        known.values.push(values[i]);
      });
    }
  }

  keys() {
    return new Set(this.list.flatMap((run) => Object.keys(run.series).filter((key) => !kHidden.has(key))));
  }

  line(run, key, axis) {
    const series = run.series[key];
    if (!series || series.steps.length === 0) return null;
    return { x: places(run, axis)(series.steps), values: series.values };
  }
}

export const samples = (run) => get(`samples?run=${run.id}`);
export const grids = (run) => get(`grids?run=${run.id}`);
