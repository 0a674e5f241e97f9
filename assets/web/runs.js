// What the server knows of the runs, and what changes.

async function get(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: status ${response.status}`);
  return response.json();
}

// Places of the steps on the chosen axis. Tokens and seconds are summed up from what each step took.
function places(run, key) {
  const seconds = run.series.step_seconds, rate = run.series.tokens_per_second;
  if (key === "step" || !seconds) return (steps) => steps;
  const sums = [0], at = [0];
  for (let i = 0; i < seconds.steps.length; ++i) {
    const each = key === "time" ? seconds.values[i] : (seconds.values[i] ?? 0) * (rate?.values[i] ?? 0);
    sums.push(sums[i] + (each ?? 0) * (seconds.steps[i] - at[i]));
    at.push(seconds.steps[i]);
  }
  return (steps) => {
    let i = 1;
    return steps.map((step) => {
      while (i < at.length - 1 && at[i] < step) ++i;
      const share = (step - at[i - 1]) / (at[i] - at[i - 1] || 1);
      return sums[i - 1] + share * (sums[i] - sums[i - 1]);
    });
  };
}

export class Runs {
  constructor(onChange) {
    this.list = [];
    this.isLoading = false; // curves are still being fetched for the first time
    this.onChange = onChange;
  }

  async load() {
    const { runs } = await get("runs");
    this.list = runs.map((run, id) => ({ ...run, id, series: {}, isShown: true, hue: (id * 137.508 + 12) % 360 }));
    this.listen();
    this.onChange();
    // A few at a time, so that the first are soon there.
    this.isLoading = true;
    const rest = [...this.list];
    const worker = async () => {
      for (let run = rest.shift(); run; run = rest.shift()) await this.fetch(run);
    };
    await Promise.all(Array.from({ length: 6 }, worker));
    this.isLoading = false;
    this.onChange();
  }

  async fetch(run, zoom) {
    const points = this.list.length > 40 ? 300 : 1500;
    const range = zoom ? `&from=${zoom[0]}&to=${zoom[1]}` : "";
    const { series } = await get(`series?run=${run.id}&points=${points}${range}`);
    run.series = series;
    run.isLoaded = true;
    this.onChange(run);
  }

  listen() {
    const source = new EventSource("events");
    source.onopen = () => this.onChange(null, true);
    source.onerror = () => this.onChange(null, false);
    source.onmessage = ({ data }) => {
      const told = JSON.parse(data);
      const run = this.list[told.run];
      if (told.reload && run.isLoaded) this.fetch(run);
      if (told.added && run.isLoaded) this.append(run, told.added);
      if (told.samples || told.grids) this.onChange(run);
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
    this.onChange(run);
  }

  keys() {
    return new Set(this.list.flatMap((run) => Object.keys(run.series)));
  }

  line(run, key, axis) {
    const series = run.series[key];
    if (!series || series.steps.length === 0) return null;
    return { x: places(run, axis)(series.steps), values: series.values };
  }
}

export const samples = (run) => get(`samples?run=${run.id}`);
export const grids = (run) => get(`grids?run=${run.id}`);
