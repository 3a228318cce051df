/** Three spans of a trace, the last one below its parent. */
export function Logo() {
  return (
    <svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
      <rect x="2" y="4" width="20" height="4" rx="1.5" fill="var(--accent)" />
      <rect x="6" y="10" width="11" height="4" rx="1.5" fill="var(--service-1)" />
      <rect x="12" y="16" width="8" height="4" rx="1.5" fill="var(--service-2)" />
    </svg>
  );
}
