// Dark or light: the system's wish, or the reader's. No module, so that it runs before the first paint and nothing flashes.
"use strict";
(() => {
  const KEY = "longshore-theme";
  const ORDER = ["system", "light", "dark"];
  const root = document.documentElement;

  const stored = () => {
    try {
      const value = localStorage.getItem(KEY);
      return ORDER.includes(value) ? value : "system";
    } catch {
      // Storage is forbidden: the choice lasts as long as the page.
      return root.dataset.theme ?? "system";
    }
  };

  const apply = (theme) => {
    root.dataset.theme = theme;
    const button = document.getElementById("theme");
    if (button) button.textContent = `Theme: ${theme}`;
  };

  apply(stored());
  document.addEventListener("DOMContentLoaded", () => {
    apply(stored());
    document.getElementById("theme").addEventListener("click", () => {
      const next = ORDER[(ORDER.indexOf(root.dataset.theme) + 1) % ORDER.length];
      try {
        localStorage.setItem(KEY, next);
      } catch {
        // As above.
      }
      apply(next);
    });
  });
})();
