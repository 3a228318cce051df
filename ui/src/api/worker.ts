interface ScriptPolicy {
  createScriptURL(input: string): unknown;
}
interface PolicyFactory {
  createPolicy(name: string, rules: { createScriptURL: (input: string) => string }): ScriptPolicy;
}

/** Same-origin scripts only: the page's policy allows no other. */
function checkScriptUrl(input: string): string {
  const url = new URL(input, document.baseURI);
  if (url.origin !== location.origin) throw new TypeError(`worker of another origin: ${url.origin}`);
  return url.href;
}

let policy: ScriptPolicy | undefined;

/**
 * Starts a module worker. `url` comes from `import url from './x.worker?worker&url'`. Under Trusted Types a plain
 * address is refused, so it goes through `app-worker`, the only policy that the page may make.
 */
export function startWorker(url: string): Worker {
  const factory = (globalThis as { trustedTypes?: PolicyFactory }).trustedTypes;
  if (!policy && factory) policy = factory.createPolicy('app-worker', { createScriptURL: checkScriptUrl });
  const address = policy ? policy.createScriptURL(url) : checkScriptUrl(url);
  return new Worker(address as string, { type: 'module' });
}
