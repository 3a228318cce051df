/** Names of the kinds by their number in a layout; the empty one is a local span. */
export const kindNames = [
  '',
  'CLIENT',
  'SERVER',
  'PRODUCER',
  'CONSUMER',
  'CLIENT, SERVER',
  'PRODUCER, CONSUMER',
] as const;
