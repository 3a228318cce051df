import './theme/base.css';
import './theme/tokens.css';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { makeQueryClient } from './api/cache';
import { startI18n } from './i18n';
import { makeRouter } from './routes';

const router = makeRouter();
const queries = makeQueryClient();
const root = document.getElementById('root');

// The page's chunk is fetched while the catalogue is.
await Promise.all([startI18n(), router.load().catch(() => undefined)]);
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
}
