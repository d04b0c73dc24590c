// Replays a journal over a dose as the server sent both; writes what the page would show after each entry.
import { readFileSync } from "node:fs";

import { CorrectionLayer } from "../../../review_ui/static/js/corrections.js";
import { DoseGrid } from "../../../review_ui/static/js/dose_grid.js";
import { Grid } from "../../../review_ui/static/js/geometry.js";
import { stopHere } from "../../../review_ui/static/js/leverage.js";
import { LiveDose } from "../../../review_ui/static/js/live_dose.js";

const { withinMm, dims, spacingMm, sliceOffsetsMm, prediction, dose, entries } = JSON.parse(readFileSync(0, "utf8"));
const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));
const grid = new Grid(dims, spacingMm, sliceOffsetsMm);
const layer = new CorrectionLayer(grid, bytes(prediction));
const live = new LiveDose(layer, DoseGrid.read(bytes(dose).buffer));
layer.onVoxel = (index, inside) => live.flip(index, inside);
const told = entries.map((entry) => {
  layer.apply(entry);
  const { meanGy, volumeCc, coverage } = live.correction;
  const bound = stopHere(layer, live, withinMm);
  return { meanGy, volumeCc, coverage, bound: bound && { ...bound, bySlice: [...bound.bySlice], leverage: null } };
});
process.stdout.write(JSON.stringify({ told, predictedGy: live.prediction.meanGy }));
