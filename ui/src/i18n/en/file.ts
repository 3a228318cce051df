export const file = {
  title: 'Open a file',
} as const;
