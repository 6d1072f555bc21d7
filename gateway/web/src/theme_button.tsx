/** Goes round the three themes. */

import { Icon } from "./icons";
import { nextTheme, theme } from "./theme";

const ICONS = { system: "system", light: "sun", dark: "moon" } as const;

export function ThemeButton() {
  return (
    <button class="bare" aria-label={`Theme: ${theme.value}`} title={`Theme: ${theme.value}`} onClick={nextTheme}>
      <Icon name={ICONS[theme.value]} />
    </button>
  );
}
