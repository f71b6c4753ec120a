// What shows each section of the document, and what it draws from besides.

import { showAlerts } from "./panel-alerts.js";
import { redraw as redrawDay, showToday } from "./panel-day.js";
import { showElectricity } from "./panel-electricity.js";
import { showDay } from "./panel-key.js";
import { redraw as redrawLoad, showLoad } from "./panel-load.js";
import { showLeague, showMix, showModels } from "./panel-makers.js";
import { showRegions } from "./panel-regions.js";
import { showSpend } from "./panel-spend.js";
import { showHealth, showRegisters } from "./panel-totals.js";

/** By section: how it is shown, of which sections besides, and how often ages in it grow. */
export const PANELS = {
  load: { show: showLoad, agesSeconds: 15 },
  day: { show: (day, sections) => showDay(day, sections.today?.data), also: ["today"] },
  today: { show: showToday },
  period: { show: showRegions, also: ["load", "today", "capacity"], agesSeconds: 15 },
  mix: { show: showMix },
  league: { show: showLeague },
  models: { show: showModels },
  spend: { show: showSpend },
  electricity: { show: showElectricity },
  registers: { show: showRegisters },
  health: { show: showHealth, agesSeconds: 2 },
  alerts: { show: showAlerts },
};

/** Draw the curves again in the colours of now. */
export function recolour() {
  redrawLoad();
  redrawDay();
}
