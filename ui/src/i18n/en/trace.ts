export const trace = {
  title: 'Trace',
} as const;
