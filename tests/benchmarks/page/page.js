// The page's own code: draws everything from the embedded JSON. All text goes through textContent.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const families = new Map(data.systems.map((system) => [system.name, system.family]));
  const lacks = new Map(data.systems.map((system) => [system.name, system.lacks]));
  const known = ["ours", "limit", "extension", "go", "python"];
  const family = (name) => (known.includes(families.get(name)) ? families.get(name) : "python");
  const by = (id) => document.getElementById(id);

  function element(name, properties = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
      if (key === "class") made.className = value;
      else if (key === "style") for (const [rule, text] of Object.entries(value)) made.style.setProperty(rule, text);
      else made.setAttribute(key, value);
    }
    made.append(...children.map((child) => (typeof child === "object" ? child : String(child))));
    return made;
  }
  function drawing(name, attributes, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  const short = (value) => (value === 0 ? "0" : String(Number(value.toPrecision(3))));
  function show(value, unit) {
    if (value === null || value === undefined) return "–";
    if (unit === "x") return `${short(value)} ×`;
    const steps = unit === "KiB" ? [[1048576, "GiB"], [1024, "MiB"], [1, "KiB"]]
      : [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]];
    const [size, name] = steps.find(([size]) => Math.abs(value) >= size) ?? steps.at(-1);
    return `${short(value / size)} ${name}`;
  }

  // ---- Bars on a log scale ----

  function scale(values) {
    const positive = values.filter((value) => value > 0);
    if (!positive.length) positive.push(1);
    const low = Math.floor(Math.log10(Math.min(...positive)));
    const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive))));
    const place = (value) => (100 * (Math.log10(Math.max(value, 10 ** low)) - low)) / (high - low);
    return { low, high, place };
  }
  const percent = (value) => `${value.toFixed(3)}%`;

  function gridLine({ low, high, place }, unit) {
    const track = element("div", { class: "track" });
    const every = Math.ceil((high - low) / 4);
    for (let power = low + every; power < high; power += every) {
      const text = unit === "KiB" ? `${(10 ** power).toLocaleString("en")} KiB` : show(10 ** power, unit);
      track.append(element("span", { style: { left: percent(place(10 ** power)) } }, text));
    }
    return element("div", { class: "bar grid", "aria-hidden": "true" }, element("span"), track, element("span"));
  }

  // `entries` have label, system, unit, median and the spread; `parts` says how one is drawn.
  function bars(container, entries, parts, ends) {
    container.replaceChildren();
    if (!entries.length) return void container.append("Nothing was measured.");
    const unit = entries[0].unit;
    const axis = scale(entries.flatMap(ends));
    container.append(gridLine(axis, unit));
    for (const entry of [...entries].sort((a, b) => a.median - b.median)) {
      const track = element("div", { class: "track" });
      track.append(...parts(entry, axis.place));
      const value = show(entry.median, unit);
      const name = element("span", { class: "name" }, entry.label + (entry.note ? ` (${entry.note})` : ""));
      const spread = `middle half ${show(entry.q1, unit)} to ${show(entry.q3, unit)}, minimum ${show(entry.min, unit)}`
        + (lacks.get(entry.system) ? `; does not carry: ${lacks.get(entry.system)}` : "");
      container.append(element("div", {
        class: `bar ${family(entry.system)}`, role: "listitem", title: spread, "data-label": entry.label,
        "data-median": entry.median, "data-place": axis.place(entry.median).toFixed(3),
      }, name, track, element("span", { class: "value" }, value)));
    }
  }
  const medianAndSpread = (entry, place) => [
    element("b", { style: { width: percent(place(entry.median)) } }),
    element("i", { style: { left: percent(place(entry.q1)), width: percent(Math.max(0.3, place(entry.q3) - place(entry.q1))) } }),
    element("u", { style: { left: percent(place(entry.median)) } }),
    element("u", { class: "least", style: { left: percent(place(entry.min)) } }),
  ];

  // ---- Sections ----

  const measured = [...new Set(data.results.map((entry) => entry.job))];
  const of = (job) => data.results.filter((entry) => entry.job === job);

  function options(select, jobs, chosen, changed) {
    for (const job of jobs) {
      const what = data.jobs[job] ? data.jobs[job].what : "";
      select.append(element("option", { value: job }, what && select.id !== "table-job" ? `${job}: ${what}` : job));
    }
    if (jobs.includes(chosen)) select.value = chosen;
    select.addEventListener("change", changed);
    changed();
  }

  function ladder() {
    const job = by("ladder-job").value;
    const all = by("ladder-variants").checked;
    const entries = of(job).filter((entry) => all || !entry.variant || !of(job).some((other) =>
      other.system === entry.system && other.placement === entry.placement && !other.variant));
    by("ladder-hint").textContent = `${data.jobs[job] ? data.jobs[job].what : job}. Line: median of the rounds; full: `
      + "the middle half of them; thin line: the least; log scale, less is better" + (job === "threads-2" ? " does not hold here: more is better." : ".");
    bars(by("ladder-bars"), entries, medianAndSpread, (entry) => [entry.min, entry.q3]);
  }
  options(by("ladder-job"), measured, "call", ladder);
  by("ladder-variants").addEventListener("change", ladder);

  function simple(select, container, jobs) {
    options(by(select), jobs.filter((job) => measured.includes(job)), jobs[0], () =>
      bars(by(container), of(by(select).value), medianAndSpread, (entry) => [Math.max(1, entry.min), Math.max(1, entry.q3)]));
  }
  simple("load-job", "load-bars", ["load-1", "load-6", "load-1000"]);
  simple("memory-job", "memory-bars", ["memory", "memory-6"]);

  bars(by("latency-bars"), of("call").filter((entry) => entry.distribution).map((entry) => ({
    ...entry, median: entry.distribution.p50, q1: entry.distribution.p25, q3: entry.distribution.p75, min: entry.distribution.p1,
  })), (entry, place) => {
    const at = (share) => place(entry.distribution[share]);
    return [
      element("s", { style: { left: percent(at("p5")), width: percent(Math.max(0.3, at("p95") - at("p5"))) } }),
      element("i", { style: { left: percent(at("p25")), width: percent(Math.max(0.3, at("p75") - at("p25"))) } }),
      element("u", { style: { left: percent(at("p50")) } }),
    ];
  }, (entry) => [entry.distribution.p5, entry.distribution.p95]);

  // ---- Throughput against size ----

  let chosen = "loader-c";
  function sizes() {
    const sizesOf = [["call", "18 B"], ["call-4k", "4 KB"], ["call-1m", "1 MB"]];
    const lines = new Map();
    for (const [index, [job]] of sizesOf.entries()) {
      for (const entry of of(job)) {
        if (entry.mb_per_s) (lines.get(entry.label) ?? lines.set(entry.label, []).get(entry.label)).push([index, entry]);
      }
    }
    const holder = by("size-chart");
    holder.replaceChildren();
    if (!lines.size) return void holder.append("Nothing was measured.");
    const width = Math.max(280, Math.min(holder.clientWidth || 900, 1100)), height = 360, left = 64, bottom = 28;
    const axis = scale([...lines.values()].flat().map(([, entry]) => entry.mb_per_s));
    const x = (index) => left + ((width - left - 24) * index) / 2;
    const y = (value) => 10 + ((height - bottom - 10) * (100 - axis.place(value))) / 100;
    const svg = drawing("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Throughput against size" });
    for (let power = axis.low; power <= axis.high; power++) {
      svg.append(drawing("line", { class: "axis", x1: left, x2: width, y1: y(10 ** power), y2: y(10 ** power) }));
      const text = drawing("text", { x: left - 6, y: y(10 ** power) + 4, "text-anchor": "end" });
      text.textContent = power >= 3 ? `${10 ** (power - 3)} GB/s` : power >= 0 ? `${10 ** power} MB/s` : `${10 ** (power + 3)} kB/s`;
      svg.append(text);
    }
    for (const [index, [, name]] of sizesOf.entries()) {
      const text = drawing("text", { x: x(index), y: height - 8, "text-anchor": index === 2 ? "end" : "middle" });
      text.textContent = name;
      svg.append(text);
    }
    const chips = by("size-chips");
    chips.replaceChildren();
    for (const [label, points] of [...lines].sort(([a], [b]) => (a === chosen) - (b === chosen))) {
      const on = label === chosen;
      const group = drawing("g", { class: `${family(points[0][1].system)}${on ? " on" : ""}`, "data-label": label });
      group.append(drawing("polyline", { points: points.map(([i, e]) => `${x(i)},${y(e.mb_per_s)}`).join(" ") }));
      for (const [i, e] of points) group.append(drawing("circle", { cx: x(i), cy: y(e.mb_per_s), r: on ? 5 : 2.5 }));
      svg.append(group);
    }
    for (const [label, points] of [...lines].sort(([a], [b]) => a.localeCompare(b))) {
      const fast = points.map(([, entry]) => `${short(entry.mb_per_s)} MB/s`).join(", ");
      const chip = element("button", { type: "button", class: family(points[0][1].system), "aria-pressed": label === chosen, title: fast }, label);
      chip.addEventListener("click", () => {
        chosen = label;
        sizes();
        [...chips.children].find((each) => each.textContent === label)?.focus();
      });
      chips.append(chip);
    }
    holder.append(svg);
  }
  sizes();
  let drawn = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth !== drawn) { drawn = window.innerWidth; sizes(); }
  });

  // ---- Tables ----

  const columns = [
    ["job", (entry) => entry.job], ["system", (entry) => entry.label], ["median", (entry) => entry.median],
    ["min", (entry) => entry.min], ["q1", (entry) => entry.q1], ["q3", (entry) => entry.q3], ["max", (entry) => entry.max],
    ["MB/s", (entry) => entry.mb_per_s ?? null], ["/ loader-c", (entry) => entry.against_loader_c ?? null],
    ["does not carry", (entry) => lacks.get(entry.system) ?? ""],
  ];
  let order = { column: 0, down: false };

  function table() {
    const job = by("table-job").value, wanted = by("table-find").value.toLowerCase();
    const rows = data.results.filter((entry) => (job === "all" || entry.job === job) && `${entry.job} ${entry.label}`.toLowerCase().includes(wanted));
    const value = columns[order.column][1];
    rows.sort((a, b) => {
      const one = value(a), other = value(b);
      if (one === null || other === null) return (one === null) - (other === null);
      const sign = typeof one === "string" ? one.localeCompare(other) : one - other;
      return (order.down ? -sign : sign) || a.median - b.median;
    });
    const heads = columns.map(([name], index) => {
      const button = element("button", { type: "button" }, name + (index === order.column ? (order.down ? " ↓" : " ↑") : ""));
      button.addEventListener("click", () => {
        order = { column: index, down: index === order.column && !order.down };
        table();
        by("figures").querySelectorAll("th button")[index].focus();
      });
      const sort = index === order.column ? (order.down ? "descending" : "ascending") : "none";
      return element("th", { scope: "col", "aria-sort": sort }, button);
    });
    by("figures").replaceChildren(element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows.map((entry) =>
      element("tr", { "data-job": entry.job, "data-label": entry.label }, ...columns.map(([name, of], index) => {
        const cell = of(entry);
        if (typeof cell === "string") return element("td", index > 1 ? { class: "lacks" } : {}, cell);
        const shown = cell === null ? "–" : index < 7 ? show(cell, entry.unit) : short(cell);
        return element("td", { class: "number", "data-value": cell ?? "" }, shown);
      })))));
  }
  by("table-find").addEventListener("input", table);
  options(by("table-job"), ["all", ...measured], "call", table);

  const words = { true: "reached", false: "missed", null: "not measured" };
  by("goals-table").append(
    element("thead", {}, element("tr", {}, ...["Figure", "Goal", "Reached", "", ""].map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...data.goals.map((goal) => element("tr", {},
      element("td", {}, goal.figure), element("td", { class: "number" }, goal.goal),
      element("td", { class: "number" }, goal.reached ?? "–"), element("td", { class: words[goal.ok] }, words[goal.ok]),
      element("td", { class: "hint" }, goal.note)))));

  // ---- Words ----

  const item = (entry) => element("li", {}, [entry.system, entry.variant, entry.placement, entry.job].filter(Boolean).join(", ") + ": " + entry.reason);
  by("missing-list").append(...data.skipped.map(item), ...data.left_out.map(item), ...data.failed.map(item));
  if (!by("missing-list").children.length) by("missing-list").append(element("li", {}, "Nothing."));
  for (const system of data.systems) {
    by("systems-list").append(element("dt", { class: family(system.name) }, system.name), element("dd", {}, system.what,
      system.lacks ? element("div", { class: "lacks" }, `Does not carry: ${system.lacks}`) : ""));
  }
  const about = {
    Machine: `${data.machine.cpu}, ${data.machine.cores} cores, ${data.machine.memory_gib} GiB, ${data.machine.system}`,
    "Date and commit": `${data.date}, ${data.commit}`,
    Run: `${data.plan.rounds} rounds in ${data.seconds} s; load average before: ${data.machine.load_before.join(", ")}`,
    Method: "All systems are called in one sitting, in random order inside each round, each by a host program of its own "
      + "language. A ratio to loader-c is taken in turns with it on the same core, slice by slice; the median of the rounds' "
      + "ratios is shown. Peers in processes of their own are shown on two cores "
      + "and pinned to one. Load figures come from fresh host processes, their own start and imports not included.",
    Versions: Object.entries(data.versions).map(([name, version]) => `${name} ${version}`).join(", "),
  };
  for (const [name, text] of Object.entries(about)) by("machine-list").append(element("dt", {}, name), element("dd", {}, text));
  by("summary").textContent = `${new Set(data.results.map((entry) => entry.system)).size} systems, ${measured.length} jobs, ${data.plan.rounds} rounds. `
    + `${data.machine.cpu}, ${data.machine.cores} cores. ${data.date.slice(0, 10)}.`;
  for (const [name, text] of [["ours", "this loader"], ["limit", "limits"], ["extension", "extension modules"],
    ["go", "Go systems"], ["python", "Python systems"]]) {
    by("legend").append(element("span", { class: name }, element("i"), text));
  }
})();
