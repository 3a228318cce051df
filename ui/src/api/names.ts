import { queryOptions } from '@tanstack/react-query';
import { serverUrl } from './base';
import { RequestError, requestJson } from './client';

/** Name lists change slowly, and the server gives them five minutes itself. */
const namesFreshMs = 60_000;
/** Longer lists are cut: nobody reads them, and suggestions filter as one types. */
const namesMax = 20_000;

async function readNames(path: string, parameters: Record<string, string>, signal: AbortSignal): Promise<string[]> {
  const url = serverUrl(['api', 'v2', path], parameters);
  const data = await requestJson(url, { signal });
  if (!Array.isArray(data)) throw new RequestError('format', url.href, 200, 'not a list');
  return (data as unknown[]).filter((name): name is string => typeof name === 'string').slice(0, namesMax);
}

function namesQuery(path: string, parameters: Record<string, string> = {}, enabled = true) {
  return queryOptions({
    queryKey: ['names', path, parameters],
    queryFn: ({ signal }) => readNames(path, parameters, signal),
    staleTime: namesFreshMs,
    refetchOnMount: true,
    enabled,
  });
}

export const servicesQuery = (enabled = true) => namesQuery('services', {}, enabled);
export const spanNamesQuery = (serviceName: string) => namesQuery('spans', { serviceName }, serviceName !== '');
export const remoteNamesQuery = (serviceName: string) =>
  namesQuery('remoteServices', { serviceName }, serviceName !== '');
export const autocompleteKeysQuery = (enabled = true) => namesQuery('autocompleteKeys', {}, enabled);
export const autocompleteValuesQuery = (key: string) => namesQuery('autocompleteValues', { key }, key !== '');
