/** The keys that a page names by their action. */
import { printKeys } from "./own_keys.js";

printKeys({});
