// Runs before the page is painted, so that a dark page does not flash white. The choice is the
// person's: "light", "dark", or nothing, which follows the system.
'use strict';
{
  let chosen = null;
  try {
    chosen = localStorage.getItem('frostfleet.theme');
  } catch { /* storage is off: the system's theme */ }
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
}
