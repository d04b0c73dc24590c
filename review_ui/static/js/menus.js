/** Menus of the header close by Escape, and when somebody goes on elsewhere. */

/** @type {NodeListOf<HTMLDetailsElement>} */
const menus = document.querySelectorAll("header nav details");

for (const menu of menus) {
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary")?.focus();
  });
  for (const kind of ["pointerdown", "focusin"]) {
    document.addEventListener(kind, ({ target }) => {
      if (target instanceof Node && !menu.contains(target)) menu.open = false;
    });
  }
}
