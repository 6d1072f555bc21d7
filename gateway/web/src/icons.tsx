/** The page's few icons: 16 px strokes in the colour of the text. They are decoration; every button has its own name. */

const PATHS = {
  run: <path d="M5 3.2v9.6l7.6-4.8z" fill="currentColor" stroke="none" />,
  stop: <rect x="4" y="4" width="8" height="8" rx="1.5" fill="currentColor" stroke="none" />,
  up: <path d="M8 12.5V4M4.5 7.3 8 3.8l3.5 3.5" />,
  right: <path d="M6 4.2 9.8 8 6 11.8" />,
  down: <path d="M8 3.5V12M4.5 8.7 8 12.2l3.5-3.5" />,
  delete: <path d="M3.5 4.5h9M6.5 4.5V3h3v1.5M5 4.5l.6 8.2h4.8l.6-8.2M7 7v3.4M9 7v3.4" />,
  plus: <path d="M8 3.5v9M3.5 8h9" />,
  check: <path d="m3.5 8.5 3 3 6-7" />,
  cross: <path d="m4.5 4.5 7 7m0-7-7 7" />,
  circle: <circle cx="8" cy="8" r="4.5" />,
  pencil: <path d="m3.5 12.5.6-2.6 6.4-6.4 2 2-6.4 6.4zM9.3 4.7l2 2" />,
  clock: <path d="M8 4.8V8l2.2 1.4M13 8A5 5 0 1 1 3 8a5 5 0 0 1 10 0z" />,
  stale: <path d="M12.6 6.2A5 5 0 0 0 3.6 6M3.4 9.8a5 5 0 0 0 9 .2M12.8 3.4v2.9H9.9M3.2 12.6V9.7h2.9" />,
  blocked: <path d="M13 8A5 5 0 1 1 3 8a5 5 0 0 1 10 0zM5.8 8h4.4" />,
  disabled: <path d="M13 8A5 5 0 1 1 3 8a5 5 0 0 1 10 0zM4.6 4.6l6.8 6.8" />,
  spin: <path class="spin" d="M8 3a5 5 0 1 1-5 5" />,
  sun: <path d="M8 5.4a2.6 2.6 0 1 1 0 5.2 2.6 2.6 0 0 1 0-5.2zM8 2v1.2M8 12.8V14M2 8h1.2M12.8 8H14M3.8 3.8l.8.8M11.4 11.4l.8.8M3.8 12.2l.8-.8M11.4 4.6l.8-.8" />,
  moon: <path d="M12.8 9.6A5.2 5.2 0 0 1 6.4 3.2a5.2 5.2 0 1 0 6.4 6.4z" />,
  system: <path d="M2.8 3.8h10.4v6.8H2.8zM6 13h4M8 10.6V13" />,
  restart: <path d="M12.6 8A4.6 4.6 0 1 1 11 4.5M11.2 2v2.8H8.4" />,
  database: <path d="M3.5 4.5c0-1 2-1.8 4.5-1.8s4.5.8 4.5 1.8-2 1.8-4.5 1.8-4.5-.8-4.5-1.8zm0 0v7c0 1 2 1.8 4.5 1.8s4.5-.8 4.5-1.8v-7M3.5 8c0 1 2 1.8 4.5 1.8s4.5-.8 4.5-1.8" />,
  notebook: <path d="M4.5 2.8h7a1 1 0 0 1 1 1v8.4a1 1 0 0 1-1 1h-7zM6.5 2.8v10.4M3 5.2h2M3 8h2M3 10.8h2" />,
  panel: <path d="M2.8 3.5h10.4v9H2.8zM9.2 3.5v9" />,
  command: <path d="M3.5 4.5h9M3.5 8h9M3.5 11.5h5" />,
  menu: <path d="M4 8h.01M8 8h.01M12 8h.01" stroke-width="2.4" />,
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor" stroke-width="1.5"
      stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      {PATHS[name]}
    </svg>
  );
}
