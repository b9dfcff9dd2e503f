// From the data of a report to Vega specifications. No DOM in here: a page and node share it.
"use strict";

// Okabe and Ito's colours, which people of any colour vision tell apart; lighter on dark ground.
const qsvitThemes = {
    light: {
        dark: false,
        ink: "#1c2127",
        muted: "#5b6570",
        grid: "#e4e7eb",
        ground: "#ffffff",
        measured: "#0072b2",
        selected: "#d55e00",
        uniform: "#009e73",
        before: "#8b95a0",
        parts: ["#0072b2", "#e69f00", "#009e73", "#56b4e9", "#a8508a"],
        runs: ["#0072b2", "#d55e00", "#009e73", "#a8508a", "#b07a00", "#3b9ad1", "#5b6570", "#7a3e9d"],
    },
    dark: {
        dark: true,
        ink: "#e7eaee",
        muted: "#a3adb8",
        grid: "#2d343c",
        ground: "#15191d",
        measured: "#56b4e9",
        selected: "#ff8f45",
        uniform: "#2fc79a",
        before: "#7d8894",
        parts: ["#4aa3dc", "#f0b73a", "#2fc79a", "#9bd3f5", "#e59ac6"],
        runs: ["#56b4e9", "#ff8f45", "#2fc79a", "#e59ac6", "#f0c24b", "#9db7ff", "#a3adb8", "#c79bf0"],
    },
};

// A format has its colour in every report: [on light ground, on dark].
const qsvitFormatColours = {
    none: ["#c3cad1", "#4a525b"],
    binary: ["#4b3b8f", "#9a86e8"],
    ternary: ["#0072b2", "#4aa3dc"],
    int2: ["#009e73", "#2fc79a"],
    int3: ["#e69f00", "#f0b73a"],
    int4: ["#d55e00", "#ff8f45"],
    int5: ["#b5487f", "#e59ac6"],
    int6: ["#56b4e9", "#9bd3f5"],
    int8: ["#7d7a1c", "#e3db5c"],
    f16: ["#8b95a0", "#7d8894"],
    f32: ["#5b6570", "#a3adb8"],
};

const qsvitFormat = {
    count: (n) => (n === null || n === undefined ? "–" : Math.round(n).toLocaleString("en-US")),
    // As printf does it: of two decimals that are equally near, the even one. Only odd multiples of 1 / 2^(digits + 1) lie so.
    fixed(n, digits) {
        if (n === null || n === undefined) return "–";
        const tie = Math.abs((n * 2 ** (digits + 1)) % 2) === 1;
        const even = (2 * Math.round((n * 10 ** digits) / 2)) / 10 ** digits;
        return (tie ? even : n).toFixed(digits).replace("-", "−");
    },
    short(n) {
        if (n === null || n === undefined) return "–";
        return n !== 0 && Math.abs(n) < 0.001 ? n.toExponential(2) : Number(n.toPrecision(3)).toString();
    },
    points: (n) => qsvitFormat.fixed(n, 2),
    interval(low, high) {
        return low === null || low === undefined
            ? ""
            : `[${qsvitFormat.points(low)}, ${qsvitFormat.points(high)}]`;
    },
    energy: (pj) => qsvitFormat.fixed(pj / 1e6, 2),
    images: (set) => (set === "judge" ? "judging" : "deciding"),
};

function qsvitConfig(theme) {
    const font = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
    const text = { labelFont: font, titleFont: font, labelColor: theme.muted, titleColor: theme.ink };
    return {
        background: "transparent",
        axis: {
            ...text,
            domainColor: theme.muted,
            tickColor: theme.muted,
            gridColor: theme.grid,
            labelFontSize: 11,
            titleFontSize: 12,
            titleFontWeight: 500,
            titlePadding: 8,
            tickSize: 4,
        },
        legend: { ...text, labelFontSize: 11, titleFontSize: 11, titleFontWeight: 500, symbolType: "circle" },
        text: { font, fill: theme.ink, fontSize: 11 },
        group: { stroke: "transparent" },
        title: { font, color: theme.ink, fontSize: 12, fontWeight: 500 },
    };
}

// A specification with its data and signals in place.
function qsvitFill(name, theme, width, data, signals) {
    const spec = JSON.parse(JSON.stringify(qsvitSpecs[name]));
    spec.width = width;
    spec.config = qsvitConfig(theme);
    spec.signals = [
        { name: "theme", value: theme },
        ...Object.entries(signals || {}).map(([key, value]) => ({ name: key, value })),
        ...(spec.signals || []),
    ];
    for (const set of spec.data) if (set.name in data) set.values = data[set.name];
    return spec;
}

// What runs are called: by name, and where two have the same, by path; the same path twice is told by number.
function qsvitLabel(runs) {
    const count = (key, value) => runs.filter((r) => r[key] === value).length;
    runs.forEach((run, i) => {
        run.label = count("name", run.name) === 1 ? run.name : count("path", run.path) === 1 ? run.path : `${run.path} (${i + 1})`;
    });
}

const qsvitTrialOf = (run, id) => run.trials.find((t) => t.trial === id) || null;
const qsvitSearchOf = (run) => run.searches.find((s) => s.current) || run.searches[run.searches.length - 1] || null;

function qsvitBound(run) {
    const search = qsvitSearchOf(run);
    return search && search.constraint.max_top1_drop !== undefined ? search.constraint.max_top1_drop : null;
}

// What is said of a trial wherever it is pointed at.
function qsvitTip(run, t, several) {
    const f = qsvitFormat;
    const rows = several ? [["run", run.label]] : [];
    rows.push(
        ["trial", t.trial],
        ["bits a weight", f.fixed(t.avg_bits, 2)],
        ["model", `${f.count(t.model_bytes)} bytes, ${f.fixed(t.model_saved, 1)} % saved`],
    );
    if (t.top1_drop !== null)
        rows.push(
            ["top-1 drop", `${f.points(t.top1_drop)} points ${f.interval(t.drop_low, t.drop_high)}`],
            ["measured on", `${f.count(t.n_images)} ${f.images(t.images)} images`],
        );
    if (t.kl !== null && !t.baseline) rows.push(["KL divergence", `${f.short(t.kl)} nats`]);
    if (t.step) rows.push(["step", t.step]);
    if (t.description) rows.push(["what", t.description]);
    return rows;
}

function qsvitKind(t) {
    if (t.selected) return "selected";
    if (t.baseline) return "f32 baseline";
    if (t.uniform) return "uniform";
    return "measured";
}

// Whether a text has every word of a filter in it.
function qsvitMatches(text, filter) {
    const low = text.toLowerCase();
    return filter
        .toLowerCase()
        .split(/\s+/)
        .every((word) => low.includes(word));
}

const qsvitTrialText = (run, t) =>
    [run.label, t.trial, t.step, t.description, t.formats, qsvitKind(t), t.images].join(" ");

// Trials as points of the curve; those without a measured drop have no place there.
function qsvitPoints(runs, filter) {
    const several = runs.length > 1;
    const points = [];
    for (const run of runs) {
        const front = new Set(run.curve.filter((p) => p.kind === "measured").map((p) => p.trial));
        for (const t of run.trials) {
            if (t.top1_drop === null || !qsvitMatches(qsvitTrialText(run, t), filter)) continue;
            points.push({
                run: run.label,
                key: `${run.label} ${t.trial}`,
                kind: qsvitKind(t),
                series: several ? run.label : qsvitKind(t),
                x: (100 * t.model_bytes) / run.f32.model_bytes,
                drop: t.top1_drop,
                low: t.drop_low,
                high: t.drop_high,
                firm: t.all_images === 1 || t.selected === 1,
                front: front.has(t.trial),
                uniform: t.uniform,
                tip: qsvitTip(run, t, several),
            });
        }
    }
    // What matters most is drawn last.
    const rank = { measured: 0, uniform: 1, "f32 baseline": 2, selected: 3 };
    return points.sort((a, b) => rank[a.kind] - rank[b.kind]);
}

function qsvitPredicted(runs) {
    const several = runs.length > 1;
    return runs.flatMap((run) =>
        run.curve
            .filter((p) => p.kind === "predicted")
            .map((p) => ({
                run: run.label,
                series: several ? run.label : "predicted",
                x: (100 * p.model_bytes) / run.f32.model_bytes,
                drop: p.top1_drop,
                low: p.drop_low === null ? p.top1_drop : p.drop_low,
                high: p.drop_high === null ? p.top1_drop : p.drop_high,
            })),
    );
}

// The drops that are looked at closely: about the bound; what lies above is drawn at the edge.
function qsvitDropRange(runs, points, predicted, paper, whole) {
    const drops = points.flatMap((p) => [p.drop, ...(p.firm ? [p.low, p.high] : [])]).filter((v) => v !== null);
    const bounds = runs.map(qsvitBound).filter((b) => b !== null);
    const near = Math.max(paper.top1_drop, ...bounds) * 2;
    const chosen = points.filter((p) => p.kind === "selected").map((p) => 1.2 * p.high);
    const most = Math.max(0.5, ...drops, paper.top1_drop * 1.1);
    const low = Math.min(-0.5, ...drops);
    return [Math.max(low, -near), whole ? most : Math.min(most, Math.max(near, ...chosen))];
}

// Names beside points, none over another: where one would lie on an earlier one it moves down, and where the
// same name stands there already it is left out. box: the plot's width and height, and the domains.
function qsvitPlaceLabels(labels, box) {
    const [x0, x1] = box.x.map(Math.log);
    const placed = [];
    for (const l of labels) {
        const px = ((Math.log(l.x) - x0) / (x1 - x0)) * box.width;
        const py = box.height * (1 - (Math.min(l.drop, box.y[1]) - box.y[0]) / (box.y[1] - box.y[0]));
        const length = 6.3 * l.text.length;
        const left = l.kind === "paper" || px + length + 12 > box.width;
        const at = { text: l.text, start: left ? px - 11 - length : px + 11, y: py - (l.kind === "selected" ? 9 : 7) };
        const meets = (p) => p.start < at.start + length && at.start < p.start + 6.3 * p.text.length && Math.abs(p.y - at.y) < 12;
        if (placed.some((p) => p.text === at.text && meets(p))) continue;
        while (placed.some(meets)) at.y += 13;
        placed.push(at);
        Object.assign(l, { dx: left ? -11 : 11, dy: at.y - py, align: left ? "right" : "left", shown: true });
    }
    return labels.filter((l) => l.shown);
}

function qsvitCurveLabels(runs, points, paper, inside, box) {
    const f = qsvitFormat;
    const several = runs.length > 1;
    const labels = [{ x: 100 - paper.model_saved, drop: paper.top1_drop, text: `${paper.name}, ${paper.dataset}`, kind: "paper" }];
    for (const p of points.filter((q) => q.kind === "selected"))
        labels.push({ x: p.x, drop: p.drop, kind: p.kind, text: several ? p.run : `selected: ${f.fixed(p.x, 1)} % of f32, drop ${f.points(p.drop)}` });
    for (const p of points.filter((q) => q.kind === "uniform")) labels.push({ x: p.x, drop: p.drop, kind: p.kind, text: p.uniform });
    return qsvitPlaceLabels(labels.filter(inside), box);
}

function qsvitPaper(paper) {
    const tip = [[paper.name, paper.source], ["memory", `${paper.model_saved} % saved`], ["top-1 drop", `within ${paper.top1_drop} points`], ["on", `${paper.dataset}, another network`]];
    return { x: 100 - paper.model_saved, drop: paper.top1_drop, tip };
}

// Where the predicted line is called by its name: at its middle, where it is flat.
function qsvitCaption(predicted) {
    const sorted = predicted.slice().sort((a, b) => a.x - b.x);
    const middle = Math.sqrt(sorted[0].x * sorted[sorted.length - 1].x);
    const near = sorted.find((p) => p.x >= middle) || sorted[0];
    return { x: near.x, drop: near.drop, text: "predicted, with its 95 % interval" };
}

function qsvitCurve(data, theme, width, options) {
    const runs = data.runs;
    const zoom = options.zoom;
    const inside = (p) => !zoom || (p.x >= zoom.x[0] && p.x <= zoom.x[1] && p.drop >= zoom.y[0] && p.drop <= zoom.y[1]);
    const all = qsvitPoints(runs, "");
    const matching = options.filter ? qsvitPoints(runs, options.filter) : all;
    const points = matching.filter(inside);
    const predicted = qsvitPredicted(runs);
    const several = runs.length > 1;
    const xs = all.map((p) => p.x).concat(100 - data.paper.model_saved, predicted.map((p) => p.x));
    const bounds = [...new Set(runs.map(qsvitBound).filter((b) => b !== null))];
    const bytes = runs.every((r) => r.f32.model_bytes === runs[0].f32.model_bytes) ? runs[0].f32.model_bytes : 0;
    const kinds = ["measured", "selected", "uniform", "f32 baseline"].filter((k) => all.some((p) => p.kind === k));
    const colour = { measured: theme.measured, selected: theme.selected, uniform: theme.uniform, "f32 baseline": theme.before };
    const xDomain = zoom ? zoom.x : [Math.min(...xs) * 0.85, 118];
    const yDomain = zoom ? zoom.y : qsvitDropRange(runs, all, predicted, data.paper, options.whole);
    const spec = qsvitFill(
        "curve",
        theme,
        width,
        {
            trials: points,
            front: matching.filter((p) => p.front).sort((a, b) => a.x - b.x),
            predicted,
            paper: [qsvitPaper(data.paper)].filter(inside),
            bounds: bounds.map((bound) => ({ bound })),
            labels: qsvitCurveLabels(runs, points, data.paper, inside, { width: width - 70, height: qsvitSpecs.curve.height, x: xDomain, y: yDomain }),
            captions: several || zoom || !predicted.length ? [] : [qsvitCaption(predicted)],
        },
        {
            xDomain,
            yDomain,
            f32Bytes: bytes,
            series: several ? runs.map((r) => r.label) : kinds,
            colours: several ? theme.runs : kinds.map((k) => colour[k]),
            predictedColour: theme.measured,
            several,
        },
    );
    spec.scales.find((scale) => scale.name === "y").nice = !zoom;
    // Within less than a factor of three, powers of ten are no ticks to go by.
    if (xDomain[1] < 3 * xDomain[0]) {
        for (const scale of spec.scales) if (scale.type === "log") Object.assign(scale, { type: "linear", zero: false });
        for (const axis of spec.axes) if (axis.scale === "x") delete axis.format;
    }
    // Runs of models of different size have no bytes in common.
    if (!bytes) spec.axes = spec.axes.filter((axis) => axis.scale !== "bytes");
    return spec;
}

// Runs of neighbours that share a name, as long as the name fits: where they begin, end, and what they are called.
function qsvitSpans(names, edges, width) {
    const spans = [];
    names.forEach((name, i) => {
        const last = spans[spans.length - 1];
        if (last && last.name === name) last.end = edges[i + 1];
        else spans.push({ name, start: edges[i], end: edges[i + 1] });
    });
    const total = edges[edges.length - 1] || 1;
    for (const s of spans) s.label = ((s.end - s.start) / total) * width > 6.2 * s.name.length + 4 ? s.name : "";
    return spans;
}

// Groups of the sensitivity table along the network, and the stage of each.
function qsvitSensitivity(run, theme, width) {
    const f = qsvitFormat;
    const formats = run.formats.map((x) => x.name).filter((n) => run.sensitivity.some((g) => n in g));
    const stages = new Map();
    for (const l of run.layers) {
        stages.set(l.stage, l.stage);
        stages.set(l.block, l.stage);
    }
    for (const l of run.layers) stages.set(l.name, l.stage);
    const cells = run.sensitivity.flatMap((g, i) =>
        formats
            .filter((name) => g[name] !== null && g[name] !== undefined)
            .map((name) => ({
                i,
                format: name,
                kl: g[name],
                tip: [["group", g.group], ["format", name], ["mean KL divergence", `${f.short(g[name])} nats`]],
            })),
    );
    const shown = cells.map((c) => c.kl).filter((v) => v > 0);
    const edges = run.sensitivity.map((g, i) => i).concat(run.sensitivity.length);
    const spans = qsvitSpans(run.sensitivity.map((g) => stages.get(g.group) || g.group), edges, width);
    const low = shown.length ? Math.min(...shown) : 1e-6;
    const high = shown.length ? Math.max(...shown) : 1;
    return qsvitFill(
        "sensitivity",
        theme,
        width,
        { cells, spans },
        {
            n: run.sensitivity.length,
            formats,
            klDomain: low < high ? [low, high] : [low / 2, high * 2],
            height: Math.max(64, 34 * formats.length),
        },
    );
}

function qsvitBits(run, theme, width, options) {
    const f = qsvitFormat;
    const trial = qsvitTrialOf(run, options.trial || run.selected || run.baseline);
    if (!trial) return null;
    const edges = [0];
    for (const l of run.layers) edges.push(edges[edges.length - 1] + (options.equal ? 1 : l.n_weights));
    const layers = run.layers.map((l, i) => {
        const format = run.formats[parseInt(trial.setting[i], 36)];
        return {
            start: edges[i],
            end: edges[i + 1],
            bits: format.bits,
            format: format.name,
            tip: [["layer", l.name], ["weights", f.count(l.n_weights)], ["format", `${format.name}, ${format.bits} bits a weight`], ["stage", l.stage]],
        };
    });
    const used = run.formats.filter((x) => layers.some((l) => l.format === x.name));
    return qsvitFill(
        "bits",
        theme,
        width,
        { layers, spans: qsvitSpans(run.layers.map((l) => l.stage), edges, width) },
        {
            total: edges[edges.length - 1],
            used: used.map((x) => x.name).reverse(),
            colours: used.map((x) => (qsvitFormatColours[x.name] || [theme.before, theme.before])[theme.dark ? 1 : 0]).reverse(),
            top: Math.max(2, ...layers.map((l) => l.bits)) * 1.06,
            mean: trial.avg_bits,
            meanLabel: `mean ${f.fixed(trial.avg_bits, 2)}`,
            xTitle: options.equal ? "Layers along the network" : "Layers along the network, each as wide as its weights",
        },
    );
}

// What a network takes, part by part, before and after.
function qsvitCostParts(run) {
    const before = qsvitTrialOf(run, run.baseline);
    const after = qsvitTrialOf(run, run.selected);
    const bytes = (row, t, weights, model) => [
        { panel: "bytes", row, part: "codes", value: weights },
        { panel: "bytes", row, part: "affines", value: model - weights },
    ];
    const energy = (row, t) => [
        { panel: "energy", row, part: "compute", value: t.energy_compute_pj / 1e6 },
        { panel: "energy", row, part: "SRAM", value: t.energy_sram_pj / 1e6 },
        { panel: "energy", row, part: "DRAM", value: t.energy_dram_pj / 1e6 },
    ];
    const parts = bytes("f32", before, run.f32.weights_bytes, run.f32.model_bytes);
    if (after) parts.push(...bytes("selected", after, after.weights_bytes, after.model_bytes));
    if (before && before.energy_pj !== null) parts.push(...energy("f32", before));
    if (after && after.energy_pj !== null) parts.push(...energy("selected", after));
    return parts;
}

function qsvitCosts(run, theme, width) {
    const f = qsvitFormat;
    const unit = { bytes: "bytes", energy: "µJ an image, modelled" };
    const say = { bytes: (v) => f.count(v), energy: (v) => f.fixed(v, 2) };
    const rows = [];
    const totals = [];
    const sums = new Map();
    for (const p of qsvitCostParts(run)) {
        const key = `${p.panel} ${p.row}`;
        const start = sums.get(key) || 0;
        sums.set(key, start + p.value);
        rows.push({ ...p, start, end: start + p.value });
    }
    const most = (panel) => Math.max(sums.get(`${panel} f32`) || 0, sums.get(`${panel} selected`) || 0);
    for (const r of rows) {
        const sum = sums.get(`${r.panel} ${r.row}`);
        r.tip = [["network", r.row], ["part", r.part], [unit[r.panel], say[r.panel](r.value)], ["share", `${f.fixed((100 * r.value) / sum, 1)} %`]];
    }
    // The selected network again, as wide as the panel: small as it is, its parts would not be seen.
    const drawn = rows.map((r) => ({ ...r, from: r.start / most(r.panel), to: r.end / most(r.panel) }));
    for (const r of rows.filter((x) => x.row === "selected")) {
        const sum = sums.get(`${r.panel} selected`);
        drawn.push({ ...r, row: "enlarged", from: r.start / sum, to: r.end / sum });
    }
    const share = width / 2 - 90;
    for (const d of drawn) {
        const text = `${d.part} ${say[d.panel](d.value)}`;
        d.label = (d.to - d.from) * share > 6.2 * text.length && d.row !== "selected" ? text : "";
    }
    for (const [key, sum] of sums) {
        const [panel, row] = key.split(" ");
        const saved = 100 * (1 - sum / (sums.get(`${panel} f32`) || sum));
        const at = sum / most(panel);
        totals.push({ panel, row, at, above: at > 0.5, text: say[panel](sum) + (row === "selected" ? `, ${f.fixed(saved, 1)} % saved` : "") });
    }
    return qsvitFill("costs", theme, width, { parts: drawn, totals }, { rows: [...new Set(drawn.map((d) => d.row))] });
}

function qsvitFiring(run, theme, width) {
    const f = qsvitFormat;
    const stages = new Map();
    for (const l of run.layers) stages.set(l.name.split(".")[0], l.stage);
    const stageOf = (name) => stages.get(name.split(".")[0]) || name.split(".")[0];
    const lifs = run.lifs
        .map((l, i) => ({ name: l.name, i, known: l.baseline !== null, baseline: 100 * l.baseline, selected: 100 * (l.selected === null ? l.baseline : l.selected) }))
        .filter((l) => l.known)
        .map((l) => ({
            ...l,
            shift: l.selected - l.baseline,
            tip: [
                ["LIF", l.name],
                ["f32", `${f.fixed(l.baseline, 2)} %`],
                ["selected", `${f.fixed(l.selected, 2)} %`],
                ["shift", `${f.fixed(l.selected - l.baseline, 2)} points`],
            ],
        }));
    // The three that shift most are named, where their names do not meet.
    const notable = [];
    for (const l of lifs.slice().sort((a, b) => Math.abs(b.shift) - Math.abs(a.shift)))
        if (notable.length < 3 && l.shift !== 0 && notable.every((n) => Math.abs(n.i - l.i) * (width / run.lifs.length) > 190 || n.shift * l.shift < 0)) notable.push(l);
    const edges = run.lifs.map((l, i) => i).concat(run.lifs.length);
    return qsvitFill("firing", theme, width, { lifs, notable, spans: qsvitSpans(run.lifs.map((l) => stageOf(l.name)), edges, width) }, { n: run.lifs.length });
}

function qsvitForwards(run, theme, width) {
    const f = qsvitFormat;
    const search = qsvitSearchOf(run);
    const steps = search.asked.filter((s) => s.trials).map((s) => ({ ...s, label: `${f.count(s.images)} on ${f.count(s.trials)} trial${s.trials === 1 ? "" : "s"}` }));
    const parts = steps.flatMap((s) => {
        const tip = (set, n) => [["step", s.step], [set, f.count(n)], ["trials", f.count(s.trials)], ["computing", `${f.fixed(s.wall_s, 1)} s`]];
        return [
            { step: s.step, set: "deciding images", start: 0, end: s.decide_images, tip: tip("deciding images", s.decide_images) },
            { step: s.step, set: "judging images", start: s.decide_images, end: s.images, tip: tip("judging images", s.images - s.decide_images) },
        ];
    });
    return qsvitFill("forwards", theme, width, { steps, parts: parts.filter((p) => p.end > p.start) }, { height: Math.max(40, 26 * steps.length) });
}

// Every figure of a run by name; those that have nothing to show are left out.
function qsvitFigures(data, index, theme, width, options) {
    qsvitLabel(data.runs);
    const run = data.runs[index];
    const search = qsvitSearchOf(run);
    const figures = { curve: qsvitCurve(data, theme, width, options), bits: qsvitBits(run, theme, width, options) };
    if (run.sensitivity.length) figures.sensitivity = qsvitSensitivity(run, theme, width);
    figures.costs = qsvitCosts(run, theme, width);
    if (run.lifs.some((l) => l.baseline !== null)) figures.firing = qsvitFiring(run, theme, width);
    if (search && search.asked.length) figures.forwards = qsvitForwards(run, theme, width);
    return Object.fromEntries(Object.entries(figures).filter(([, spec]) => spec));
}
