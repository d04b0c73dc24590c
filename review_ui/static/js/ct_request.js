/**
 * Asks for the CT of the page's case at once, while the page's other scripts are still on their way.
 */
import { request } from "./api.js";

const url = document.querySelector('meta[name="ct-stream"]')?.getAttribute("content") ?? "";
/** @type {Promise<Response> | null} */
let first = url ? ask() : null;
// Told where it is awaited.
first?.catch(() => undefined);

function ask() {
  return request(url, { method: "GET" });
}

/** The CT from the slice at which the review begins; asked for anew from the second time on. */
export function requestCt() {
  const asked = first ?? ask();
  first = null;
  return asked;
}
