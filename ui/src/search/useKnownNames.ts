import { useQuery } from '@tanstack/react-query';
import {
  autocompleteKeysQuery,
  autocompleteValuesQuery,
  remoteNamesQuery,
  servicesQuery,
  spanNamesQuery,
} from '../api/names';
import { filterKeys, type Known, splitInput } from './suggest';

const none: readonly string[] = [];

/** The names for suggestions; `failed` when a list that is asked for could not be loaded. */
export function useKnownNames(serviceName: string | undefined, text: string): { known: Known; failed: boolean } {
  const services = useQuery(servicesQuery());
  const spans = useQuery(spanNamesQuery(serviceName ?? ''));
  const remotes = useQuery(remoteNamesQuery(serviceName ?? ''));
  const keys = useQuery(autocompleteKeysQuery());
  const tagKeys = keys.data ?? none;
  const { key } = splitInput(text, tagKeys);
  const isTag = key !== undefined && !(filterKeys as readonly string[]).includes(key);
  const values = useQuery(autocompleteValuesQuery(isTag ? key : ''));
  return {
    known: {
      services: services.data ?? none,
      spans: spans.data ?? none,
      remotes: remotes.data ?? none,
      tagKeys,
      tagValues: values.data ?? none,
    },
    failed: services.isError || spans.isError || remotes.isError || keys.isError || values.isError,
  };
}
