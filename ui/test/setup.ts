import { cleanup, configure } from '@testing-library/react';
import { afterEach } from 'vitest';

// What is waited for comes at once; a busy machine is no failure.
configure({ asyncUtilTimeout: 60_000 });
afterEach(() => cleanup());
