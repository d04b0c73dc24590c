/**
 * Fetches what may be laid over the CT, one after the other, after the case can be worked on.
 *
 * For scripts and tests <body> says in data-layers which of them have come.
 *
 * @typedef {import("./overlay.js").Extras} Extras
 *
 * @typedef {object} LayerFacts  GET /api/cases/<id>/layers
 * @property {string | null} dose  what it is the dose of; null without one
 * @property {boolean} uncertainty
 * @property {boolean} reference
 */
import { getJson, request } from "./api.js";
import { Boxed } from "./boxed.js";
import { DoseGrid } from "./dose_grid.js";
import { showDoseLegend, showLayerRow } from "./layer_panel.js";

/**
 * @param {string} url  /api/cases/<id>
 * @param {Extras} extras  filled
 * @param {() => void} onCame  called after each
 */
export async function loadExtras(url, extras, onCame) {
  const facts = /** @type {LayerFacts} */ (await getJson(`${url}/layers`));
  /** @type {string[]} */
  const names = [];
  const came = (/** @type {string} */ name) => {
    names.push(name);
    document.body.dataset.layers = names.join(" ");
    onCame();
  };
  if (facts.reference) {
    extras.reference = Boxed.read(await bodyOf(`${url}/reference`));
    showLayerRow("layer-reference");
    came("reference");
  }
  if (facts.dose !== null) {
    extras.dose = DoseGrid.read(await bodyOf(`${url}/dose`));
    showLayerRow("layer-dose");
    showLayerRow("layer-isodose");
    showDoseLegend(facts.dose, extras.dose.maxGy);
    came("dose");
  }
  if (facts.uncertainty) {
    extras.uncertainty = Boxed.read(await bodyOf(`${url}/uncertainty`));
    showLayerRow("layer-uncertainty");
    came("uncertainty");
  }
}

/** @param {string} url */
async function bodyOf(url) {
  return (await request(url, { method: "GET" })).arrayBuffer();
}
