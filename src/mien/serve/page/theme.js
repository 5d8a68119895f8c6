// Light or dark before the first paint: the visitor's choice, else the system's. A classic script, so that it blocks.
"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const chosen = localStorage.getItem("mien-theme");
    document.documentElement.dataset.theme = chosen || (dark.matches ? "dark" : "light");
    document.dispatchEvent(new Event("themechange"));
  };
  apply();
  dark.addEventListener("change", apply);
  window.toggleTheme = () => {
    localStorage.setItem("mien-theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
    apply();
  };
})();
