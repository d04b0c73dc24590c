/** The keys that a page names by their action. */
import { BINDINGS, keyCap } from "./keyboard.js";

for (const { action, keys } of BINDINGS) {
  for (const element of document.querySelectorAll(`kbd[data-action="${action}"]`)) {
    element.textContent = keyCap(keys[0]);
  }
}
