/** Rows of the layers that not every case has, and the legend of the dose. */
import { doseCss, isodoseLevels } from "./dose_colours.js";
import { byId, make, setText } from "./page.js";

/** @param {"layer-reference" | "layer-dose" | "layer-isodose" | "layer-uncertainty" | "layer-leverage"} id */
export function showLayerRow(id) {
  byId(id).hidden = false;
}

/**
 * Levels in Gy beside their colours, highest first, under what the dose is.
 * @param {string} words
 * @param {number} maxGy
 */
export function showDoseLegend(words, maxGy) {
  setText("dose-legend-words", words || "Dose");
  byId("dose-legend-words").classList.toggle("attention", /synthetic/i.test(words));
  const rows = isodoseLevels(maxGy)
    .reverse()
    .map((gy) => {
      const swatch = make("i", { className: "swatch" });
      swatch.style.background = doseCss(gy / maxGy);
      return make("div", { className: "level" }, swatch, make("span", { text: `${gy}` }));
    });
  byId("dose-legend-levels").replaceChildren(...rows);
  setText("dose-legend-most", `highest ${maxGy.toFixed(1)} Gy`);
}
