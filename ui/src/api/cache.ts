import { type QueryCache, QueryClient } from '@tanstack/react-query';

/** Answers of the last searches stay in memory, so that Back is instant. */
const searchesMax = 20;

/**
 * Nothing is asked again behind the user's back: an answer is as old as its address says, and Retry is a button. A
 * retry of its own would double the wait for every error.
 */
export function makeQueryClient(): QueryClient {
  const client = new QueryClient({
    defaultOptions: {
      queries: {
        retry: false,
        staleTime: Number.POSITIVE_INFINITY,
        gcTime: Number.POSITIVE_INFINITY,
        refetchOnWindowFocus: false,
        refetchOnReconnect: false,
        refetchOnMount: false,
        networkMode: 'always',
      },
    },
  });
  const cache = client.getQueryCache();
  cache.subscribe((event) => {
    if (event.type === 'added' && event.query.queryKey[0] === 'search') dropOldest(cache);
  });
  return client;
}

function dropOldest(cache: QueryCache): void {
  const kept = cache
    .findAll({ queryKey: ['search'], type: 'inactive' })
    .sort((a, b) => b.state.dataUpdatedAt - a.state.dataUpdatedAt);
  for (const query of kept.slice(searchesMax)) cache.remove(query);
}
