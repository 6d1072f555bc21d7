/** Light, dark or as the system says; kept in local storage. The style sheets do the rest through `data-theme`. */

import { effect, signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

const SLOT = "tailrace.theme";
const THEMES: readonly Theme[] = ["system", "light", "dark"];

export const theme = signal<Theme>(THEMES.find((one) => one === localStorage.getItem(SLOT)) ?? "system");
const systemDark = matchMedia("(prefers-color-scheme: dark)");
export const dark = signal(false);

const settle = () => (dark.value = theme.value === "dark" || (theme.value === "system" && systemDark.matches));
systemDark.addEventListener("change", settle);

export function applyTheme(): void {
  effect(() => {
    document.documentElement.dataset["theme"] = theme.value;
    localStorage.setItem(SLOT, theme.value);
    settle();
  });
}

export function nextTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length]!;
}
