/** Moments on a page that the node wrote in UTC, in the reader's own time. */
import { dayAndTime } from "./page.js";

for (const element of document.querySelectorAll("time[datetime]")) {
  const when = element.getAttribute("datetime") ?? "";
  element.setAttribute("title", element.textContent ?? "");
  element.textContent = dayAndTime(when);
}
