// The system's theme, light or dark, as the visitor chose.

const kKey = "vkgpt.theme";
const kThemes = ["", "light", "dark"];
let chosen = "";

function apply(theme) {
  chosen = kThemes.includes(theme) ? theme : "";
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
  const button = document.getElementById("theme");
  if (button) button.title = `Theme: ${chosen || "the system's"}`;
}

export function cycleTheme() {
  apply(kThemes[(kThemes.indexOf(chosen) + 1) % kThemes.length]);
  try {
    localStorage.setItem(kKey, chosen);
  } catch {
    // A browser that keeps nothing has the theme until the page is closed.
  }
  document.dispatchEvent(new Event("themechange"));
}

try {
  apply(localStorage.getItem(kKey));
} catch {
  apply("");
}
