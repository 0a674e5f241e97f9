// The system's theme, light or dark, as the visitor chose.

const kKey = "vkgpt.theme";
const kThemes = ["", "light", "dark"];

function apply(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  const button = document.getElementById("theme");
  if (button) button.title = `Theme: ${theme || "the system's"}`;
}

export function cycleTheme() {
  const next = kThemes[(kThemes.indexOf(localStorage.getItem(kKey) ?? "") + 1) % kThemes.length];
  localStorage.setItem(kKey, next);
  apply(next);
  document.dispatchEvent(new Event("themechange"));
}

apply(localStorage.getItem(kKey) ?? "");
