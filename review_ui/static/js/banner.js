/** The sentence across the top of the views. */
import { byId, make } from "./page.js";

const PASSING_MS = 4000;

/** What a passing note stands in front of, and until when. @type {{bringBack: () => void, timer: number} | null} */
let passing = null;

/**
 * @param {string} text  empty: nothing stands there any more
 * @param {"note" | "warning"} kind
 * @param {{label: string, act: () => void} | null} offer  what can be done about it
 */
export function showBanner(text, kind = "note", offer = null) {
  window.clearTimeout(passing?.timer);
  passing = null;
  const banner = byId("banner");
  banner.textContent = text;
  banner.className = `banner ${kind}`;
  banner.hidden = text === "";
  if (!offer) return;
  const go = make("button", { text: offer.label });
  go.id = "banner-offer";
  go.addEventListener("click", offer.act);
  banner.append(go);
}

/** A sentence that goes away by itself; what stood there, with what it offers, comes back. @param {string} text */
export function showPassingNote(text) {
  const bringBack = passing?.bringBack ?? remembered();
  showBanner(text);
  passing = { bringBack, timer: window.setTimeout(bringBack, PASSING_MS) };
}

function remembered() {
  const banner = byId("banner");
  const { className, hidden } = banner;
  const before = [...banner.childNodes];
  return () => {
    passing = null;
    banner.className = className;
    banner.hidden = hidden;
    banner.replaceChildren(...before);
  };
}
