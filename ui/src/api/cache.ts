import { QueryClient } from '@tanstack/react-query';

/**
 * Answers stay in memory so that Back is instant. Nothing is asked again behind the user's back: an answer is as old
 * as its address says, and Retry is a button. One retry would double the wait for every error.
 */
export function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        retry: false,
        staleTime: Number.POSITIVE_INFINITY,
        gcTime: 10 * 60_000,
        refetchOnWindowFocus: false,
        refetchOnReconnect: false,
        refetchOnMount: false,
        networkMode: 'always',
      },
    },
  });
}
