import { queryOptions, useQuery } from '@tanstack/react-query';
import { serverUrl } from './base';
import { requestJson } from './client';
import { type HttpUrl, safeUrl } from './links';

/** `config.json` of zipkin-server, with its defaults for what is missing. */
export interface ServerConfig {
  readonly environment: string;
  readonly queryLimit: number;
  readonly defaultLookbackMs: number;
  readonly searchEnabled: boolean;
  /** Templates with `{traceId}`; checked again once filled in. */
  readonly logsUrl?: string;
  readonly supportUrl?: HttpUrl;
  readonly archivePostUrl?: HttpUrl;
  readonly archiveUrl?: string;
  readonly dependency: { readonly enabled: boolean; readonly lowErrorRate: number; readonly highErrorRate: number };
}

export const defaultConfig: ServerConfig = {
  environment: '',
  queryLimit: 10,
  defaultLookbackMs: 900_000,
  searchEnabled: true,
  dependency: { enabled: true, lowErrorRate: 0.5, highErrorRate: 0.75 },
};

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
const above0 = (value: unknown, fallback: number): number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : fallback;
const share = (value: unknown, fallback: number): number =>
  typeof value === 'number' && value >= 0 ? value : fallback;
const members = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

/** Takes what has the right shape; null and everything else becomes the default. */
export function parseConfig(data: unknown): ServerConfig {
  const config = members(data);
  const dependency = members(config.dependency);
  const logsUrl = text(config.logsUrl);
  const archiveUrl = text(config.archiveUrl);
  const supportUrl = safeUrl(text(config.supportUrl));
  const archivePostUrl = safeUrl(text(config.archivePostUrl));
  return {
    environment: text(config.environment) ?? '',
    queryLimit: Math.floor(above0(config.queryLimit, defaultConfig.queryLimit)) || 1,
    defaultLookbackMs: above0(config.defaultLookback, defaultConfig.defaultLookbackMs),
    searchEnabled: config.searchEnabled !== false,
    ...(logsUrl !== undefined && { logsUrl }),
    ...(archiveUrl !== undefined && { archiveUrl }),
    ...(supportUrl && { supportUrl }),
    ...(archivePostUrl && { archivePostUrl }),
    dependency: {
      enabled: dependency.enabled !== false,
      lowErrorRate: share(dependency.lowErrorRate, defaultConfig.dependency.lowErrorRate),
      highErrorRate: share(dependency.highErrorRate, defaultConfig.dependency.highErrorRate),
    },
  };
}

export const configQuery = queryOptions({
  queryKey: ['config'],
  queryFn: async ({ signal }) => parseConfig(await requestJson(serverUrl(['config.json']), { signal })),
  staleTime: Number.POSITIVE_INFINITY,
});

/** The server's settings; `failed` says that these are only the defaults. `ready` is false until one of both is known. */
export function useConfig(): { readonly config: ServerConfig; readonly ready: boolean; readonly failed: boolean } {
  const { data, isError, isPending } = useQuery(configQuery);
  return { config: data ?? defaultConfig, ready: !isPending, failed: isError };
}
