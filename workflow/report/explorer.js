// Connects the explorer's controls with its charts. Vega draws; the numbers stand in the page.
//
// The form is the state: each control has a name, and the page's fragment is the form in words, so
// that a link opens the same view. A change of a control runs `update`: it offers what there is to
// choose, cuts the rows that each chart shows, and hands them over.
"use strict";
(async () => {
  const byId = (id) => document.getElementById(id);
  const PACK = JSON.parse(byId("explorer-data").textContent);
  const FORM = byId("explorer-controls");
  const SIDES = ["left", "right"];
  const WHOLE = -1; // in the place of a layer: the model as a whole
  const bytes = Uint8Array.from(atob(PACK.numbers), (letter) => letter.charCodeAt(0));
  const NUMBERS = new Float32Array(bytes.buffer);

  // ---- the numbers -----------------------------------------------------------------------------

  const NAMES = ["dataset", "model", "measure", "variant", "region"];
  const ALL = PACK.series.map((entry) => ({
    ...entry,
    ...PACK.axes[entry.axes],
    ...Object.fromEntries(NAMES.map((name, place) => [name, entry.key[place]])),
  }));
  const four = new Intl.NumberFormat("en", { maximumSignificantDigits: 4, useGrouping: false });
  const number = (value) => (Number.isFinite(value) ? four.format(value).replace("-", "−") : "–");
  const title = (series) => {
    const { label, unit } = PACK.measures[series.measure];
    const which = [series.variant, series.region].filter(Boolean).join(", ");
    const shown = series.variant.includes("-per-") ? "" : unit;
    return label + (which ? `, ${which}` : "") + (shown ? ` (${shown})` : "");
  };

  // The rows of a series, one a step and layer. `raw` is what is drawn, `value` what is read.
  const cut = new Map();
  function rowsOf(series) {
    if (cut.has(series)) return cut.get(series);
    const at = (start, place) => (start === undefined ? NaN : NUMBERS[start + place]);
    const rows = series.steps.flatMap((step, s) =>
      series.layers.map((layer, l) => {
        const place = s * series.layers.length + l;
        const raw = at(series.value, place);
        const half = at(series.half, place);
        return {
          model: series.model,
          measure: title(series),
          step,
          layer,
          raw,
          value: number(raw),
          low: Number.isFinite(half) ? raw - half : raw,
          top: Number.isFinite(half) ? raw + half : raw,
          half,
          band: Number.isFinite(raw) && Number.isFinite(half) ? `${number(raw - half)} … ${number(raw + half)}` : "–",
          n: series.n === undefined ? series.same_n ?? "–" : number(at(series.n, place)),
        };
      }),
    );
    cut.set(series, rows);
    return rows;
  }

  const known = new Map();
  function finite(series) {
    if (!known.has(series)) {
      known.set(series, rowsOf(series).filter((row) => Number.isFinite(row.raw)));
    }
    return known.get(series);
  }

  const nearest = (values, wanted) =>
    values.reduce((best, v) => (Math.abs(v - wanted) < Math.abs(best - wanted) ? v : best));

  // The other side's cell: its nearest step; the same layer of a model as deep, else as deep a one.
  function mapped(cell, from, to) {
    const deepest = (series) => Math.max(...series.layers);
    const share = deepest(to) > 0 && deepest(from) > 0 ? deepest(to) / deepest(from) : 1;
    return {
      step: nearest(to.steps, cell.step),
      layer: nearest(to.layers, Math.round(cell.layer * share)),
    };
  }

  // ---- the controls ----------------------------------------------------------------------------

  const control = (name) => FORM.elements[name];
  const sorted = (values) => [...new Set(values)];

  function offer(name, values, text = (value) => value || "–") {
    const select = control(name);
    const kept = values.includes(select.value) ? select.value : values[0] ?? "";
    const offered = [...select.options].map((option) => option.value);
    const same = JSON.stringify(offered) === JSON.stringify(values);
    if (!same) select.replaceChildren(...values.map((value) => new Option(text(value), value)));
    select.value = kept;
    select.disabled = values.length < 2;
    return kept;
  }

  // Narrows all series to the one that a side shows, a control at a time.
  function choose(side, dataset) {
    let left = ALL.filter((series) => series.dataset === dataset || series.dataset === "");
    for (const name of NAMES.slice(1)) {
      const text = name === "measure" ? (value) => PACK.measures[value].label : undefined;
      const value = offer(`${side}.${name}`, sorted(left.map((series) => series[name])), text);
      left = left.filter((series) => series[name] === value);
    }
    return left[0];
  }

  function slide(name, values, wanted, text) {
    const range = control(name);
    range.max = values.length - 1;
    range.value = values.indexOf(nearest(values, wanted));
    range.disabled = values.length < 2;
    const value = values[range.value];
    range.setAttribute("aria-valuetext", text(value));
    byId(`explorer-${name}`).textContent = text(value);
    return value;
  }

  // ---- the charts ------------------------------------------------------------------------------

  const CHARTS = {}; // by the place in the page: {view, rows}
  const places = [...document.querySelectorAll("[data-chart]")];
  await Promise.all(
    places.map(async (place) => {
      const spec = structuredClone(PACK.charts[place.dataset.chart]);
      const options = { actions: false, renderer: "svg", tooltip: { theme: "custom" }, logLevel: 1 };
      const { view } = await vegaEmbed(place.querySelector(".chart"), spec, options);
      // A reader of screens is told each chart's heading and its table, not thousands of marks.
      place.querySelector(".chart svg").setAttribute("aria-hidden", "true");
      CHARTS[place.id] = { view, place, rows: [], kind: place.dataset.chart };
    }),
  );

  function draw(id, rows, parameters, more = {}) {
    const chart = CHARTS[id];
    if (!rows.length) parameters.heading += ": no value";
    const as = JSON.stringify(parameters);
    if (chart.rows === rows && chart.as === as) return null;
    Object.assign(chart, { rows, as });
    const lines = folded(parameters.heading, chart.place.clientWidth / 7);
    for (const [name, value] of Object.entries({ ...parameters, heading: lines })) {
      chart.view.signal(name, value);
    }
    for (const [name, values] of Object.entries({ rows, ...more })) chart.view.data(name, values);
    chart.place.querySelector(".chart").setAttribute("aria-label", parameters.heading);
    if (chart.place.querySelector("details").open) tabulate(chart);
    return chart.view.resize().runAsync();  // labels may be wider than those before
  }

  // On lines of so many letters, which a telephone has few of.
  function folded(text, letters) {
    const lines = [""];
    for (const word of text.split(" ")) {
      const last = lines.at(-1);
      if (last && last.length + word.length >= letters) lines.push(word);
      else lines[lines.length - 1] = last ? `${last} ${word}` : word;
    }
    return lines.join("\n");
  }

  function limits(all) {
    const values = all.flat().map((row) => row.raw).sort((a, b) => a - b);
    if (!values.length) return { low: 0, high: 1 };
    const [low, high] = [0.01, 0.99].map((share) => values[Math.round(share * (values.length - 1))]);
    return low < high ? { low, high } : { low: low - 0.5, high: low + 0.5 };
  }

  // ---- one change, from the controls to the charts ---------------------------------------------

  const STATE = { step: 0, layer: 0 }; // the pinned cell, of the left side
  let shown; // both sides' series

  async function update() {
    const dataset = offer("dataset", sorted(ALL.map((series) => series.dataset)).filter(Boolean));
    shown = Object.fromEntries(SIDES.map((side) => [side, choose(side, dataset)]));
    const { left } = shown;
    STATE.step = slide("step", left.steps, STATE.step, (step) => step.toLocaleString("en"));
    STATE.layer = slide("layer", left.layers, STATE.layer, nameOf);
    remember();
    const alike = shown.left.measure === shown.right.measure &&
      shown.left.variant === shown.right.variant;
    const rows = SIDES.map((side) => finite(shown[side]));
    const cells = SIDES.map((side) => rowsOf(shown[side]));
    await Promise.all([
      ...SIDES.map((side, i) =>
        draw(`map-${side}`, cells[i], {
          heading: `${shown[side].model}: ${title(shown[side])}`,
          scheme: PACK.scheme[shown[side].measure],
          ...limits(alike ? rows : [rows[i]]),
        }),
      ),
      ...lines(alike),
      plane(),
    ]);
    await point(STATE);
  }

  const whereOf = (layer) => (layer === WHOLE ? nameOf(layer) : `layer ${nameOf(layer)}`);
  const nameOf = (layer) => (layer === WHOLE ? "the model as a whole" : layer === 0 ?
    "0 (embedding)" : `${layer}`);

  // The course of the pinned layer and the profile of the pinned step; of both sides where they
  // have one axis.
  function lines(alike) {
    const cells = { left: STATE, right: mapped(STATE, shown.left, shown.right) };
    const along = (side, axis) =>
      finite(shown[side])
        .filter((row) => row[axis] === cells[side][axis])
        .map((row) => ({ ...row, side }));
    return SIDES.flatMap((side) => {
      const both = alike ? SIDES : [side];
      const name = `${shown[side].model}: ${title(shown[side])}`;
      const { steps, chance } = shown[side];
      const guess = chance === undefined ? "" : `; dotted: chance, ${number(chance)}`;
      return [
        draw(`course-${side}`, both.flatMap((s) => along(s, "layer")), {
          heading: `${name} over training, ${whereOf(cells[side].layer)}${guess}`,
          ticks: spread(steps),
        }, {
          cursor: [{ step: cells[side].step }],
          chance: chance === undefined ? [] : [{ side, chance }],
        }),
        draw(`profile-${side}`, both.flatMap((s) => along(s, "step")), {
          heading: `${name} over depth, step ${cells[side].step}`,
          ticks: null,
        }, { cursor: [{ layer: cells[side].layer }] }),
      ];
    });
  }

  // At most seven of the steps, evenly over log(step + 1).
  function spread(steps) {
    const [first, last] = [steps[0], steps.at(-1)].map(Math.log1p);
    const wanted = Array.from({ length: 7 }, (_, i) => Math.expm1(first + ((last - first) * i) / 6));
    return sorted(wanted.map((step) => nearest(steps, step)));
  }

  const PLANE = byId("plane");
  async function plane() {
    const found = SIDES.map((side) => [side, planeRows(shown[side])]).filter(([, rows]) => rows);
    PLANE.hidden = !found.length;
    if (PLANE.hidden) return;
    const twice = found.length > 1 && shown.left.model === shown.right.model;
    const kept = twice ? found.slice(0, 1) : found;
    const rows = kept.flatMap(([side, all]) => all.map((row) => ({ ...row, side })));
    const at = Object.fromEntries(kept.map(([side, all]) => [side, stepOf(all)]));
    const ends = (row) => [0, Math.max(...shown[row.side].layers)].includes(row.layer);
    const now = rows.filter((row) => row.step === at[row.side])
      .map((row) => ({ ...row, name: ends(row) ? `layer ${row.layer}` : "" }));
    const models = kept.map(([side]) => `${shown[side].model}, step ${at[side]}`).join(" · ");
    await draw("plane", rows, { heading: `Layers of ${models}` }, { now });
  }

  const stepOf = (rows) => nearest(sorted(rows.map((row) => row.step)), STATE.step);

  // Entropy and curvature of a model's layers, in the variants that the claims take: the first.
  function planeRows({ dataset, model }) {
    const of = (name) => ALL.find((series) =>
      series.dataset === dataset && series.model === model && series.measure === name);
    const [entropy, curvature] = [of("entropy"), of("curvature")];
    if (!entropy || !curvature) return null;
    const other = rowsOf(entropy);
    return rowsOf(curvature)
      .map(({ model, step, layer, raw }, i) => ({ model, step, layer, curvature: raw, entropy: other[i].raw }))
      .filter((row) => Number.isFinite(row.curvature) && Number.isFinite(row.entropy));
  }

  // ---- what is under the cursor ----------------------------------------------------------------

  const COLUMNS = ["model", "measure", "step", "layer", "value", "band", "n"];
  async function point(cell) {
    const cells = { left: cell, right: mapped(cell, shown.left, shown.right) };
    const rows = SIDES.map((side) => rowsOf(shown[side]).find((row) =>
      row.step === cells[side].step && row.layer === cells[side].layer));
    fill(byId("explorer-readout"), COLUMNS, rows.filter(Boolean));
    byId("explorer-bands").textContent = sorted(SIDES.map((side) =>
      PACK.measures[shown[side].measure].band)).filter(Boolean).join("; ");
    await Promise.all(SIDES.map((side) =>
      CHARTS[`map-${side}`].view.data("cursor", [cells[side]]).runAsync()));
  }

  function fill(table, columns, rows) {
    const line = (tag, cells) => {
      const row = document.createElement("tr");
      row.append(...cells.map((text) => Object.assign(document.createElement(tag),
        { textContent: text, ...(tag === "th" ? { scope: "col" } : {}) })));
      return row;
    };
    const [head, body] = ["thead", "tbody"].map((tag) => document.createElement(tag));
    head.append(line("th", columns));
    body.append(...rows.map((row) => line("td", columns.map((name) =>
      name === "layer" ? nameOf(row.layer) : row[name]))));
    table.replaceChildren(head, body);
  }

  for (const side of SIDES) {
    const { view } = CHARTS[`map-${side}`];
    const other = side === "left" ? "right" : "left";
    const cellOf = (item) => {
      const datum = item?.datum;
      if (datum?.step === undefined || datum?.layer === undefined) return null;
      return side === "left" ? datum : mapped(datum, shown[side], shown[other]);
    };
    view.addEventListener("mousemove", (_, item) => point(cellOf(item) ?? STATE));
    view.addEventListener("mouseout", () => point(STATE));
    view.addEventListener("click", (_, item) => {
      const cell = cellOf(item);
      if (cell) pin(cell);
    });
  }

  function pin({ step, layer }) {
    Object.assign(STATE, { step, layer });
    return update();
  }

  // ---- the fragment, and what is taken away ----------------------------------------------------

  function remember() {
    const fields = NAMES.slice(1).flatMap((name) => SIDES.map((side) => `${side}.${name}`));
    const words = ["dataset", ...fields].filter((name) => control(name).value)
      .map((name) => [name, control(name).value]);
    const state = [...words, ["step", STATE.step], ["layer", STATE.layer]];
    if (remember.ready) history.replaceState(null, "", `#explore?${new URLSearchParams(state)}`);
  }

  async function recall() {
    const [where, query] = location.hash.split("?");
    if (where !== "#explore") return;
    const wanted = Object.fromEntries(new URLSearchParams(query ?? ""));
    for (const name of ["step", "layer"]) {
      if (wanted[name] !== undefined) STATE[name] = Number(wanted[name]);
    }
    // What can be chosen depends on what was chosen before it: each choice offers the next.
    for (const name of ["dataset", ...NAMES.slice(1).flatMap((n) => SIDES.map((s) => `${s}.${n}`))]) {
      if (wanted[name] === undefined) continue;
      control(name).value = wanted[name];
      SIDES.forEach((side) => choose(side, control("dataset").value));
    }
    await update();
    byId("explore").scrollIntoView();
  }

  function save(name, blob) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${PACK.run}-${name}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  const fieldsOf = (chart) => (chart.kind === "plane" ? ["model", "step", "layer", "curvature", "entropy"] :
    ["model", "measure", "step", "layer", "raw", "half", "n"]);
  const heading = (field) => ({ raw: "value", half: "half_width_of_band" })[field] ?? field;

  function csv(chart) {
    const quoted = (value) => (/[",\n]/.test(value) ? `"${`${value}`.replaceAll('"', '""')}"` : value);
    const fields = fieldsOf(chart);
    const dataset = control("dataset").value;
    const line = (row) => [dataset, ...fields.map((field) => row[field])].map(quoted).join(",");
    return [["dataset", ...fields.map(heading)].join(","), ...chart.rows.map(line)].join("\n");
  }

  function tabulate(chart) {
    const rows = chart.rows.map((row) => Object.fromEntries(fieldsOf(chart).map((field) =>
      [heading(field), typeof row[field] === "number" && !["step", "layer"].includes(field) ?
        number(row[field]) : row[field]])));
    fill(chart.place.querySelector("details table"), fieldsOf(chart).map(heading), rows);
  }

  for (const chart of Object.values(CHARTS)) {
    const { view, place } = chart;
    place.querySelector("details").addEventListener("toggle", () => tabulate(chart));
    place.querySelector(".tools").addEventListener("click", async ({ target }) => {
      const form = target.dataset.save;
      if (form === undefined) return;
      await view.background("white").runAsync();
      if (form === "csv") save(`${place.id}.csv`, new Blob([csv(chart)], { type: "text/csv" }));
      if (form === "svg") save(`${place.id}.svg`, new Blob([await view.toSVG()], { type: "image/svg+xml" }));
      if (form === "png") {
        const canvas = await view.toCanvas(2);
        canvas.toBlob((blob) => save(`${place.id}.png`, blob));
      }
      await view.background("transparent").runAsync();
    });
  }

  FORM.addEventListener("submit", (event) => event.preventDefault());
  FORM.addEventListener("input", update);
  for (const name of ["step", "layer"]) {
    control(name).addEventListener("input", ({ target }) =>
      pin({ ...STATE, [name]: shown.left[`${name}s`][target.value] }));
  }
  const highest = () => finite(shown.left)
    .reduce((best, row) => (best.raw >= row.raw ? best : row), STATE);
  byId("explorer-highest").addEventListener("click", () => pin(highest()));
  byId("explorer-swap").addEventListener("click", () => {
    const values = NAMES.slice(1).map((name) => SIDES.map((side) => control(`${side}.${name}`).value));
    NAMES.slice(1).forEach((name, i) => {
      control(`left.${name}`).value = values[i][1];
      choose("left", control("dataset").value);
      control(`right.${name}`).value = values[i][0];
      choose("right", control("dataset").value);
    });
    update();
  });
  addEventListener("hashchange", recall);

  // At first: what geometry says beside how well the brain is predicted.
  await begin();
  async function begin() {
    const dataset = offer("dataset", sorted(ALL.map((series) => series.dataset)).filter(Boolean));
    const start = { left: { measure: "score", region: PACK.network }, right: { measure: "curvature" } };
    for (const side of SIDES) {
      choose(side, dataset);
      const models = [...control(`${side}.model`).options];
      control(`${side}.model`).value = models.at(-1).value;
      choose(side, dataset);
      for (const [name, value] of Object.entries(start[side])) {
        const select = control(`${side}.${name}`);
        if ([...select.options].some((option) => option.value === value)) select.value = value;
        choose(side, dataset);
      }
    }
    shown = Object.fromEntries(SIDES.map((side) => [side, choose(side, dataset)]));
    await pin(highest());
    remember.ready = true;
    await recall();
    byId("explore").dataset.ready = "true";
  }
})();
