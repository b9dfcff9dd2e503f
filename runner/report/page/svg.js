// Run by node, behind Vega, the figures and the data: node THIS FOLDER.
const fs = require("fs");
const path = require("path");

function qsvitFileNames(runs) {
    const seen = new Map();
    return runs.map((run) => {
        const name = run.name.replace(/[^A-Za-z0-9._-]/g, "_").replace(/^\.+/, "") || "run";
        seen.set(name, (seen.get(name) || 0) + 1);
        return seen.get(name) > 1 ? `${name}-${seen.get(name)}` : name;
    });
}

async function qsvitDraw(folder) {
    const names = qsvitFileNames(qsvitData.runs);
    for (let i = 0; i < names.length; i++) {
        const figures = qsvitFigures(qsvitData, i, qsvitThemes.light, 760, {});
        for (const [name, spec] of Object.entries(figures)) {
            // One curve holds all runs.
            if (name === "curve" && i > 0) continue;
            const view = new vega.View(vega.parse(spec, null, { ast: true }), { renderer: "none", expr: vega.expressionInterpreter });
            const file = path.join(folder, name === "curve" ? "curve.svg" : names.length > 1 ? `${names[i]}-${name}.svg` : `${name}.svg`);
            fs.writeFileSync(`${file}.tmp`, await view.toSVG());
            fs.renameSync(`${file}.tmp`, file);
        }
    }
}

qsvitDraw(process.argv[2]).catch((error) => {
    console.error(error.message);
    process.exit(1);
});
