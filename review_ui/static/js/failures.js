/** What went wrong on the page and was caught nowhere, in words a reader can use. */
import { ServerError } from "./api.js";
import { showBanner } from "./banner.js";

/** How browsers say that memory could not be had. */
const NO_MEMORY = /allocation|out of memory|array length|array size/i;

/** @param {unknown} error */
export function wordsOf(error) {
  if (isShortOfMemory(error)) {
    return "The browser has too little memory for this. Close other tabs and programs, then reload the page.";
  }
  return error instanceof Error ? error.message : String(error);
}

/** @param {unknown} error */
function isShortOfMemory(error) {
  return error instanceof RangeError && NO_MEMORY.test(error.message);
}

/** From here on say what else nobody would see. */
export function sayFailures() {
  // Without an error it is a remark of the browser's own.
  window.addEventListener("error", ({ error }) => error && say(error));
  window.addEventListener("unhandledrejection", ({ reason }) => say(reason));
}

/** @param {unknown} error */
function say(error) {
  const isKnown = error instanceof ServerError || isShortOfMemory(error);
  const words = isKnown
    ? wordsOf(error)
    : `The page made a mistake: ${wordsOf(error)} What it calls saved is saved; reload it and go on.`;
  showBanner(words, "warning", { label: "Reload", act: () => window.location.reload() });
}
