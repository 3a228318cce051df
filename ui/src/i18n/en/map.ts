export const map = {
  title: 'Service map',
} as const;
