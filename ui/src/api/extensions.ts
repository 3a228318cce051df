/** A link made from a tag: `url` may hold `{value}`, `{traceId}` and `{spanId}`. */
export interface LinkPattern {
  readonly tag: string;
  readonly service?: string;
  readonly url: string;
  readonly label?: string;
}

/** What our server tells beyond `config.json`, in `<meta name="zipkin-ui">`. */
export interface UiSettings {
  readonly extensions: ReadonlySet<string>;
  readonly linkPatterns: readonly LinkPattern[];
  /** Whether the page comes from a server of ours: a plain zipkin-server has no such element. */
  readonly own: boolean;
  /** Above it the trace page asks before it draws. */
  readonly maxTraceBytes: number;
}

export const defaultMaxTraceBytes = 64 * 1024 * 1024;

/** Reads the element's content; a plain zipkin-server has none, hence no extensions. */
export function parseUiSettings(content: string | null | undefined): UiSettings {
  let data: unknown;
  try {
    data = JSON.parse(content ?? '{}');
  } catch {
    data = {};
  }
  const settings = (typeof data === 'object' && data !== null ? data : {}) as Record<string, unknown>;
  const extensions = Array.isArray(settings.extensions) ? settings.extensions : [];
  const patterns = Array.isArray(settings.linkPatterns) ? settings.linkPatterns : [];
  const bytes = settings.maxTraceBytes;
  return {
    own: content !== null && content !== undefined,
    extensions: new Set(extensions.filter((name): name is string => typeof name === 'string')),
    linkPatterns: patterns.filter(isLinkPattern),
    maxTraceBytes: typeof bytes === 'number' && bytes > 0 ? bytes : defaultMaxTraceBytes,
  };
}

function isLinkPattern(value: unknown): value is LinkPattern {
  if (typeof value !== 'object' || value === null) return false;
  const { tag, url, service, label } = value as Record<string, unknown>;
  const optional = (member: unknown) => member === undefined || typeof member === 'string';
  return typeof tag === 'string' && typeof url === 'string' && optional(service) && optional(label);
}

let settings: UiSettings | undefined;

/** The settings of this page: read once, they do not change while it is open. */
export function uiSettings(): UiSettings {
  settings ??= parseUiSettings(document.querySelector('meta[name="zipkin-ui"]')?.getAttribute('content'));
  return settings;
}
