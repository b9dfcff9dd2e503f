// The page: words, figures and tables from the data. Text only ever goes in as text.
(() => {
    const data = JSON.parse(document.getElementById("qsvit-data").textContent);
    qsvitLabel(data.runs);
    const f = qsvitFormat;
    const byId = (id) => document.getElementById(id);
    const state = { run: 0, filter: "", whole: false, zoom: null, equal: false, trial: null, all: false, views: {}, printing: false };
    const darkness = window.matchMedia("(prefers-color-scheme: dark)");
    const PRINT_WIDTH = 680;
    const MOST_ROWS = 200;

    function make(tag, attributes, ...children) {
        const element = document.createElement(tag);
        for (const [name, value] of Object.entries(attributes || {})) {
            if (name === "click") element.addEventListener("click", value);
            else if (value === true) element.setAttribute(name, "");
            else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
        }
        element.append(...children.filter((c) => c !== null && c !== undefined));
        return element;
    }

    // columns: [name, unit or null, is a number]; rows: texts, or elements.
    function makeTable(caption, columns, rows, classOf) {
        const head = columns.map(([name, unit, number]) =>
            make("th", { scope: "col", class: number ? "number" : null }, name, unit ? make("small", {}, unit) : null),
        );
        const body = rows.map((row, i) =>
            make(
                "tr",
                { class: classOf ? classOf(i) : null },
                ...row.map((cell, c) => make("td", { class: columns[c][2] ? "number" : c === row.length - 1 ? "text last" : "text" }, cell === null || cell === undefined ? "–" : cell)),
            ),
        );
        const table = make("table", {}, make("caption", {}, caption), make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body));
        return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, table);
    }

    const run = () => data.runs[state.run];
    const selected = () => qsvitTrialOf(run(), run().selected);
    const baseline = () => qsvitTrialOf(run(), run().baseline);

    // Words

    function describeBound(constraint) {
        const parts = [];
        if (constraint.max_top1_drop != null) parts.push(`keeps top-1 within ${constraint.max_top1_drop} points of f32`);
        if (constraint.max_bytes != null) parts.push(`takes at most ${f.count(constraint.max_bytes)} bytes`);
        if (constraint.target_avg_bits != null) parts.push(`takes at most ${constraint.target_avg_bits} bits a weight`);
        if (constraint.max_energy_pj != null) parts.push(`takes at most ${f.energy(constraint.max_energy_pj)} µJ an image by the model`);
        return parts.length ? parts.join(" and ") : "meets its constraint";
    }

    function sayWhatWasSearched(r, search) {
        if (!search) return `${r.label} holds ${f.count(r.trials.length)} trials and no search.`;
        const images = search.image_forwards ? `, ${f.count(search.image_forwards)} image-forwards in all (images × networks)` : "";
        const seconds = search.worker_s ? ` and ${f.count(search.worker_s)} seconds of computing` : "";
        return (
            `A search by “${search.strategy}” looked for the cheapest weight formats of ${f.count(r.layers.length)} layers ` +
            `(${f.count(r.f32.n_weights)} weights) with which the network ${describeBound(search.constraint)}. ` +
            `It asked for ${f.count(search.asked.reduce((sum, s) => sum + s.trials, 0))} settings${images}${seconds}.`
        );
    }

    function sayWhatWasFound(r, search, t) {
        if (!t) return r.complete ? "It selected none." : "It has not selected any yet.";
        if (t.baseline) return "It selected the f32 network as it is: nothing that it measured keeps the constraint and is smaller.";
        const drop =
            t.top1_drop === null
                ? "not measured yet"
                : `top-1 ${f.points(t.top1)} %, ${f.points(t.top1_drop)} points below f32 ` +
                  `(95 % interval ${f.interval(t.drop_low, t.drop_high)}) on ${f.count(t.n_images)} ${f.images(t.images)} images`;
        const energy = t.energy_pj === null ? "" : ` Energy an image is ${f.energy(t.energy_pj)} µJ by a model, ${f.fixed(t.energy_saved, 1)} % less.`;
        return (
            `It selected trial ${t.trial}, ${f.fixed(t.avg_bits, 2)} bits a weight, which ${search && search.meets ? "meets" : "does not meet"} the constraint: ${drop}. ` +
            `All that is stored takes ${f.count(t.model_bytes)} bytes, ${f.fixed(t.model_saved, 1)} % less than the ${f.count(r.f32.model_bytes)} of f32.${energy}`
        );
    }

    function writeWords() {
        const r = run();
        const search = qsvitSearchOf(r);
        const paper = data.paper;
        byId("words").replaceChildren(
            make(
                "p",
                {},
                `${sayWhatWasSearched(r, search)} ${sayWhatWasFound(r, search, selected())} For comparison, ${paper.name} (${paper.source}) saved ` +
                    `${paper.model_saved} % of memory and ${paper.energy_saved} % of power within ${paper.top1_drop} points, on ${paper.dataset}.`,
            ),
        );
    }

    function writeTiles() {
        const t = selected();
        const b = baseline();
        const tile = (name, value, note) => make("div", {}, make("dt", {}, name), make("dd", {}, value, make("small", {}, note)));
        const tiles = t
            ? [
                  tile("Bits a weight", f.fixed(t.avg_bits, 2), `weights ${f.count(t.weights_bytes)} bytes`),
                  tile("Memory saved", `${f.fixed(t.model_saved, 1)} %`, `${f.count(run().f32.model_bytes)} → ${f.count(t.model_bytes)} bytes`),
                  tile("Top-1 drop, points", f.points(t.top1_drop), `95 % ${f.interval(t.drop_low, t.drop_high)}`),
                  tile(
                      "Energy saved, modelled",
                      `${f.fixed(t.energy_saved, 1)} %`,
                      b && b.energy_pj !== null && t.energy_pj !== null ? `${f.energy(b.energy_pj)} → ${f.energy(t.energy_pj)} µJ an image` : "",
                  ),
              ]
            : [];
        byId("tiles").replaceChildren(...tiles);
        byId("tiles").hidden = !tiles.length;
    }

    function writeHead() {
        const names = data.runs.map((r) => r.label).join(", ");
        const r = run();
        document.title = `${names}: qsvit report`;
        byId("title").textContent = names;
        byId("meta").replaceChildren(
            `${r.architecture}, ${f.count(r.time_steps)} time steps, ${f.count(r.classes)} classes; ${f.count(r.images.judge)} judging and ` +
                `${f.count(r.images.decide)} deciding images; run ${r.run_id} of ${r.created_utc}, ${r.complete ? "complete" : "not complete"}`,
            data.live ? make("span", { class: "live" }, "; it goes on, this page loads itself again") : "",
        );
        byId("footer").textContent =
            `Written ${data.written_utc} by qsvit ${data.qsvit}${data.commit ? ` (${data.commit})` : ""}. Energy is modelled (docs/metrics.md), all else measured ` +
            `unless it says predicted. This page is one file; its data is the JSON in the element qsvit-data, every field of which is in docs/report.md.`;
    }

    // Figures: what each is called, what is said of it, and its text alternative.

    const button = (text, pressed, click) => make("button", { type: "button", "aria-pressed": String(pressed), click }, text);

    function toggle(name, on) {
        state[name] = on;
        writeSections();
    }

    function trialTable(trials) {
        const shown = state.all ? trials : trials.slice(0, MOST_ROWS);
        const columns = [
            ["Trial", null, false],
            ["Step", null, false],
            ["Bits", "a weight", true],
            ["Model", "bytes", true],
            ["Saved", "%", true],
            ["Top-1 drop", "points [95 %]", true],
            ["Images", null, true],
            ["KL", "nats", true],
            ["Energy", "% saved", true],
            ["What", null, false],
        ];
        const rows = shown.map((t) => [
            make("button", { type: "button", class: "id", title: "Show its bits per layer", click: () => showTrial(t.trial) }, t.trial),
            t.step,
            f.fixed(t.avg_bits, 2),
            f.count(t.model_bytes),
            f.fixed(t.model_saved, 1),
            `${f.points(t.top1_drop)} ${f.interval(t.drop_low, t.drop_high)}`.trim(),
            t.n_images ? `${f.count(t.n_images)} ${t.images}` : "–",
            t.baseline ? "–" : f.short(t.kl),
            f.fixed(t.energy_saved, 1),
            t.description,
        ]);
        const table = makeTable("Trials of the run, in the order in which it asked for them", columns, rows, (i) => (shown[i].selected ? "selected" : null));
        const more = trials.length - shown.length;
        return more > 0 ? [table, make("p", {}, button(`Show ${f.count(more)} more`, false, () => toggle("all", true)))] : [table];
    }

    function showTrial(id) {
        state.trial = id;
        writeSections();
        byId("bits").scrollIntoView({ block: "center" });
    }

    const matching = () => run().trials.filter((t) => qsvitMatches(qsvitTrialText(run(), t), state.filter));
    const stepText = (s) => [s.name, s.trial, s.decision, s.why].join(" ");
    const matchingSteps = () => {
        const search = qsvitSearchOf(run());
        return search ? search.steps.filter((s) => qsvitMatches(stepText(s), state.filter)) : [];
    };

    function curveTable() {
        const rows = data.runs.flatMap((r) =>
            r.curve.map((p) => [
                r.label,
                p.kind,
                p.trial || "–",
                f.fixed(p.avg_bits, 2),
                f.count(p.model_bytes),
                f.fixed(p.model_saved, 1),
                f.points(p.top1_drop),
                f.interval(p.drop_low, p.drop_high),
            ]),
        );
        return makeTable(
            "The curve: measured trials that no other beats, and predicted settings",
            [["Run", null, false], ["Kind", null, false], ["Trial", null, false], ["Bits", "a weight", true], ["Model", "bytes", true], ["Saved", "%", true], ["Top-1 drop", "points", true], ["95 % interval", "points", true]],
            rows,
        );
    }

    function sensitivityTable() {
        const formats = run().formats.map((x) => x.name).filter((n) => run().sensitivity.some((g) => n in g));
        return makeTable(
            "Mean KL divergence from the f32 answers, one group at one format",
            [["Group", null, false], ...formats.map((n) => [n, "nats", true])],
            run().sensitivity.map((g) => [g.group, ...formats.map((n) => f.short(g[n]))]),
        );
    }

    function layerTable() {
        const trial = qsvitTrialOf(run(), state.trial || run().selected || run().baseline);
        if (!trial) return null;
        return makeTable(
            `Formats of the layers in trial ${trial.trial}`,
            [["Layer", null, false], ["Stage", null, false], ["Weights", null, true], ["Format", null, false], ["Bits", "a weight", true]],
            run().layers.map((l, i) => {
                const format = run().formats[parseInt(trial.setting[i], 36)];
                return [l.name, l.stage, f.count(l.n_weights), format.name, String(format.bits)];
            }),
        );
    }

    function costTable() {
        const say = { bytes: (v) => `${f.count(v)} bytes`, energy: (v) => `${f.fixed(v, 3)} µJ` };
        return makeTable(
            "What is stored, and energy an image by the model",
            [["Network", null, false], ["Part", null, false], ["Value", null, true]],
            qsvitCostParts(run()).map((p) => [p.row, p.part, say[p.panel](p.value)]),
        );
    }

    function firingTable() {
        return makeTable(
            "Firing rates, % of neurons a time step",
            [["LIF", null, false], ["f32", "%", true], ["Selected", "%", true], ["Shift", "points", true]],
            run().lifs.map((l) => {
                const known = l.baseline !== null && l.selected !== null;
                const percent = (v) => (v === null ? "–" : f.fixed(100 * v, 2));
                return [l.name, percent(l.baseline), percent(l.selected), known ? f.fixed(100 * (l.selected - l.baseline), 2) : "–"];
            }),
        );
    }

    function stepTable(steps) {
        return makeTable(
            "What each step of the search decided, and why",
            [["Step", null, false], ["Decision", null, false], ["Why", null, false], ["Trial", null, false]],
            steps.map((s) => [s.name, s.decision, s.why, s.trial ? make("button", { type: "button", class: "id", click: () => showTrial(s.trial) }, s.trial) : "–"]),
        );
    }

    function forwardsTable() {
        const search = qsvitSearchOf(run());
        return makeTable(
            "Recorded work by the step that asked for it first",
            [["Step", null, false], ["Trials", null, true], ["Images × networks", null, true], ["Of them deciding", null, true], ["Computing", "s", true]],
            search.asked.map((s) => [s.step, f.count(s.trials), f.count(s.images), f.count(s.decide_images), f.fixed(s.wall_s, 1)]),
        );
    }

    function bitsTitle() {
        const trial = qsvitTrialOf(run(), state.trial || run().selected || run().baseline);
        return trial && !trial.selected ? `Bits per layer of trial ${trial.trial}` : "Bits per layer of the selected network";
    }

    const sections = {
        curve: () => ({
            title: "Accuracy against memory",
            note:
                "Each point is a trial, its bar the paired 95 % interval of the drop where all images of a set are measured; faint points were left early or measured on a few. " +
                "Points above the frame are triangles at its edge. The line joins the trials that no other beats. " +
                (run().curve_note ? `No predicted curve is shown (${run().curve_note}). ` : "") +
                (run().curve_note ? "Arrow keys move from trial to trial." : "The dotted line is what the search predicts between and beyond, with its interval. Arrow keys move from trial to trial.") +
                " Drag over an area to see it closer.",
            controls: [
                button("whole range of drops", state.whole && !state.zoom, () => {
                    state.zoom = null;
                    toggle("whole", !state.whole);
                }),
                state.zoom ? button("back from the close-up", false, () => toggle("zoom", null)) : null,
            ],
            table: curveTable,
        }),
        sensitivity: () => ({
            title: "Sensitivity along the network",
            note: "One group of layers at one format and everything else f32: how far answers move from those of f32. Darker (in dark mode brighter) is worse, grey is no difference at all.",
            table: sensitivityTable,
        }),
        bits: () => ({
            title: bitsTitle(),
            note: "Where the bits go: a layer’s area is what its codes take.",
            controls: [
                button("as wide as their weights", !state.equal, () => toggle("equal", false)),
                button("all equally wide", state.equal, () => toggle("equal", true)),
                state.trial && state.trial !== run().selected ? button("back to the selected network", false, () => toggle("trial", null)) : null,
            ],
            table: layerTable,
        }),
        costs: () => ({
            title: "Where bytes and energy go",
            note: "Codes are packed weights and the scales that stand alone; affines are multipliers and shifts. Energy is a model (docs/metrics.md), of the spikes that really fired. The third bar shows the selected network’s parts as shares.",
            table: costTable,
        }),
        firing: () => ({
            title: "Firing rates before and after",
            note: "How often neurons fire in the f32 network and in the selected one, over the same images.",
            table: firingTable,
        }),
        forwards: () => ({
            title: "What the search took",
            note: "Images × networks by the step that asked for a trial first; what a later step added to the same trial counts here too.",
            table: forwardsTable,
        }),
    };

    const theme = () => qsvitThemes[darkness.matches && !state.printing ? "dark" : "light"];

    function showTip(rows, x, y) {
        const tip = byId("tip");
        tip.replaceChildren(make("dl", {}, ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))])));
        tip.hidden = false;
        const box = tip.getBoundingClientRect();
        tip.style.left = `${Math.max(4, Math.min(x + 14, window.innerWidth - box.width - 8))}px`;
        tip.style.top = `${y + 18 + box.height > window.innerHeight ? Math.max(4, y - box.height - 12) : y + 18}px`;
    }

    const hideTip = () => {
        byId("tip").hidden = true;
    };

    const onTip = (handler, event, item, value) => (value && event ? showTip(value, event.clientX, event.clientY) : hideTip());

    function draw(name, spec) {
        const place = document.querySelector(`#${name} .plot`);
        if (state.views[name]) state.views[name].finalize();
        place.replaceChildren();
        spec.description = sections[name]().title;
        const view = new vega.View(vega.parse(spec, null, { ast: true }), { expr: vega.expressionInterpreter, renderer: "svg", container: place, hover: true });
        view.tooltip(onTip);
        view.run();
        state.views[name] = view;
    }

    function drawFigures() {
        const width = state.printing ? PRINT_WIDTH : Math.max(320, byId("sections").clientWidth);
        const figures = qsvitFigures(data, state.run, theme(), width, state);
        for (const [name, spec] of Object.entries(figures)) if (byId(name)) draw(name, spec);
        hideTip();
    }

    // Arrow keys on the curve: from trial to trial by rising size.
    function onCurveKey(event) {
        const steps = { ArrowRight: 1, ArrowLeft: -1 };
        if (event.key === "Escape") hideTip();
        if (!(event.key in steps)) return;
        event.preventDefault();
        const view = state.views.curve;
        const points = view.data("trials").slice().sort((a, b) => a.x - b.x || a.drop - b.drop);
        if (!points.length) return;
        const at = points.findIndex((p) => p.key === view.signal("focus"));
        const first = points.findIndex((p) => p.kind === "selected");
        const next = points[at < 0 ? Math.max(0, first) : (at + steps[event.key] + points.length) % points.length];
        view.signal("focus", next.key).run();
        const box = event.currentTarget.getBoundingClientRect();
        const [left, top] = view.origin();
        showTip(next.tip, box.left + left + view.scale("x")(next.x), box.top + top + view.scale("y")(next.drop));
        byId("spoken").textContent = next.tip.map(([key, value]) => `${key} ${value}`).join(", ");
    }

    // A drag over the curve chooses the area that it then shows.
    function onCurvePress(event) {
        if (event.button !== 0) return;
        const plot = event.currentTarget;
        const view = state.views.curve;
        const box = plot.getBoundingClientRect();
        const [left, top] = view.origin();
        const limit = (v, most) => Math.max(0, Math.min(most, v));
        const at = (e) => [limit(e.clientX - box.left - left, view.width()), limit(e.clientY - box.top - top, view.height())];
        const from = at(event);
        const frame = make("div", { class: "frame" });
        const shape = (to) => [Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1])];
        const onMove = (e) => {
            const [x, y, w, h] = shape(at(e));
            Object.assign(frame.style, { left: `${left + x}px`, top: `${top + y}px`, width: `${w}px`, height: `${h}px` });
            if (!frame.isConnected) plot.append(frame);
        };
        const onRelease = (e) => {
            window.removeEventListener("pointermove", onMove);
            window.removeEventListener("pointerup", onRelease);
            frame.remove();
            const [x, y, w, h] = shape(at(e));
            if (w < 8 || h < 8) return;
            const scale = (name, a, b) => [view.scale(name).invert(a), view.scale(name).invert(b)];
            toggle("zoom", { x: scale("x", x, x + w), y: scale("y", y + h, y) });
        };
        event.preventDefault();
        plot.focus({ preventScroll: true });
        window.addEventListener("pointermove", onMove);
        window.addEventListener("pointerup", onRelease);
    }

    function makeSection(name) {
        const s = sections[name]();
        const plot = make("div", { class: "plot", tabindex: "0", role: "group", "aria-label": `${s.title}; the same as a table follows` });
        if (name === "curve") {
            plot.addEventListener("keydown", onCurveKey);
            plot.addEventListener("pointerdown", onCurvePress);
            plot.addEventListener("blur", hideTip);
        }
        const table = make("details", {}, make("summary", {}, "The figure as a table"));
        table.addEventListener("toggle", () => table.open && table.children.length === 1 && table.append(s.table() || ""));
        const controls = (s.controls || []).filter(Boolean);
        return make(
            "section",
            { class: "figure", id: name, "aria-labelledby": `${name}-title` },
            make("h2", { id: `${name}-title` }, s.title),
            make("p", { class: "note" }, s.note),
            controls.length ? make("div", { class: "controls" }, ...controls) : null,
            make("figure", {}, plot, table),
        );
    }

    function makeTableSection(id, title, ...children) {
        return make("section", { class: "figure table", id, "aria-labelledby": `${id}-title` }, make("h2", { id: `${id}-title` }, title), ...children);
    }

    function writeTables() {
        const search = qsvitSearchOf(run());
        const trials = matching();
        const steps = matchingSteps();
        byId("steps-rows").replaceChildren(stepTable(steps));
        byId("trials-rows").replaceChildren(...trialTable(trials));
        byId("filter-count").textContent = state.filter
            ? `${f.count(trials.length)} of ${f.count(run().trials.length)} trials, ${f.count(steps.length)} of ${f.count(search ? search.steps.length : 0)} steps`
            : `${f.count(run().trials.length)} trials, ${f.count(search ? search.steps.length : 0)} steps`;
    }

    function writeSections() {
        const names = Object.keys(qsvitFigures(data, state.run, theme(), 800, state));
        const order = ["curve", "sensitivity", "bits", "costs", "firing", "forwards"].filter((n) => names.includes(n));
        byId("sections").replaceChildren(
            ...order.map(makeSection),
            makeTableSection("steps", "The search, step by step", make("div", { id: "steps-rows" })),
            makeTableSection("trials", "Trials", make("div", { id: "trials-rows" })),
        );
        writeTables();
        drawFigures();
    }

    function write() {
        writeHead();
        writeWords();
        writeTiles();
        writeSections();
    }

    function keptFilter() {
        try {
            return decodeURIComponent((location.hash.match(/^#filter=(.*)$/) || ["", ""])[1]);
        } catch {
            return ""; // an address that somebody has cut short
        }
    }

    // The filter is kept in the page's address, so that it is still there when the page loads itself again.
    function onFilter() {
        state.filter = byId("filter").value.trim();
        history.replaceState(null, "", state.filter ? `#filter=${encodeURIComponent(state.filter)}` : "#");
        writeTables();
        if (byId("curve")) draw("curve", qsvitCurve(data, theme(), Math.max(320, byId("sections").clientWidth), state));
    }

    function start() {
        const choice = byId("run");
        choice.append(...data.runs.map((r, i) => make("option", { value: String(i) }, r.label)));
        byId("run-choice").hidden = data.runs.length < 2;
        choice.addEventListener("change", () => {
            state.run = Number(choice.value);
            state.trial = null;
            write();
        });
        byId("filter").value = state.filter = keptFilter();
        byId("filter").addEventListener("input", onFilter);
        darkness.addEventListener("change", drawFigures);
        window.addEventListener("beforeprint", () => {
            state.printing = true;
            drawFigures();
        });
        window.addEventListener("afterprint", () => {
            state.printing = false;
            drawFigures();
        });
        let width = window.innerWidth;
        let timer = 0;
        window.addEventListener("resize", () => {
            clearTimeout(timer);
            timer = setTimeout(() => {
                if (window.innerWidth !== width && !state.printing) drawFigures();
                width = window.innerWidth;
            }, 150);
        });
        write();
        document.documentElement.dataset.ready = "yes";
    }

    start();
})();
