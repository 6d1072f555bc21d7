/** The mark, which leads to the list of notebooks. */

export function Brand() {
  return (
    <a class="brand" href="/" aria-label="All notebooks">
      <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
        <rect width="32" height="32" rx="9" class="brand-plate" />
        {[11, 17, 23].map((y, index) => (
          <path key={y} d={`M6 ${y}c4-4 7-4 10 0s6 4 10 0`} fill="none" stroke="#fff" stroke-opacity={1 - index * 0.25}
            stroke-width="2.6" stroke-linecap="round" />
        ))}
      </svg>
    </a>
  );
}
