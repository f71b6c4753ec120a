// Before anything is drawn: the colour scheme the visitor chose here, else the system's.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("wattoken-theme");
  } catch {
    // Storage is forbidden: the system's scheme it is.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
