// Before anything is drawn: the colour scheme the visitor chose here, else the system's; and the wall's view.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("wattoken-theme");
  } catch {
    // Storage is forbidden: the system's scheme it is.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  if (new URLSearchParams(location.search).get("view") === "kiosk") document.documentElement.dataset.view = "kiosk";
})();
