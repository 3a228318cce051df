import { queryOptions, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useMemo } from 'react';
import { formatMap, type MapAddress, parseMap } from '../address/map';
import { useRawAddress } from '../address/useRaw';
import { serverUrl } from '../api/base';
import { RequestError, requestJson } from '../api/client';
import { useConfig } from '../api/config';
import { forgetProgress, reportProgress } from '../api/progress';
import { parseLinks, type ServiceLink } from './graph';

export const mapProgress = 'map';
const dayMs = 86_400_000;

export type MapChange = { readonly [K in keyof MapAddress]?: MapAddress[K] | undefined };

/** The calls between services in a window. */
export function linksQuery(range: MapAddress['range']) {
  return queryOptions({
    queryKey: ['map', range],
    queryFn: ({ signal }) => readLinks(range, signal),
    enabled: range !== undefined,
  });
}

async function readLinks(range: MapAddress['range'], signal: AbortSignal): Promise<ServiceLink[]> {
  if (!range) return [];
  forgetProgress(mapProgress);
  const url = serverUrl(['api', 'v2', 'dependencies'], {
    endTs: range.endTime,
    lookback: range.endTime - range.startTime,
  });
  const data = await requestJson(url, { signal, onProgress: (progress) => reportProgress(mapProgress, progress) });
  const links = parseLinks(data);
  if (!links) throw new RequestError('format', url.href, 200, 'not a list of links');
  return links;
}

/** The service map's state, which is its address. Without times the last day is asked for, and the address says so. */
export function useMapState() {
  const { raw, now } = useRawAddress();
  const navigate = useNavigate();
  const { config, ready } = useConfig();
  const address = useMemo(() => parseMap(raw), [raw]);
  const enabled = ready && config.dependency.enabled;
  useEffect(() => {
    if (!enabled || address.range) return;
    const endTime = Date.now();
    const range = { startTime: endTime - dayMs, endTime };
    void navigate({ to: '/dependency', search: formatMap({ ...address, range }), replace: true });
  }, [enabled, address, navigate]);
  const query = useQuery(linksQuery(enabled ? address.range : undefined));
  const change = (part: MapChange, replace: boolean) => {
    const next = { ...parseMap(now()), ...part } as MapAddress;
    void navigate({ to: '/dependency', search: formatMap(next), replace, resetScroll: !replace });
  };
  return {
    address,
    query,
    config,
    ready,
    /** Another view of the same answer: takes the place of the address in the history. */
    show: (part: MapChange) => change(part, true),
    /** Another question: a new entry of the history. */
    go: (part: MapChange) => change(part, false),
  };
}
