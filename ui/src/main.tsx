import './theme/base.css';
import './theme/tokens.css';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { makeQueryClient } from './api/cache';
import { startI18n } from './i18n';
import { makeRouter } from './routes';

/** Not awaited by the module itself: pages import what is in one file with it, and it waits for a page. */
async function start(root: HTMLElement): Promise<void> {
  const router = makeRouter();
  const queries = makeQueryClient();
  // The page's chunk is fetched while the catalogue is.
  await Promise.all([startI18n(), router.load().catch(() => undefined)]);
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
}

const root = document.getElementById('root');
if (root) void start(root);
