/** What rows look like: classes and codes of the services of one trace, made once. */
import type { Layout } from '../model/layout';
import { lookByOrder, lookClass, serviceCode } from '../theme/colours';

export interface RowLook {
  readonly code: string;
  readonly className: string;
  readonly colour: number;
  readonly hatched: boolean;
}

const looks = new WeakMap<Layout, readonly RowLook[]>();

/** The look of each service of a layout, by its number: in order of first appearance. */
export function looksOf(layout: Layout): readonly RowLook[] {
  let known = looks.get(layout);
  if (!known) {
    // A row without service name has no colour of its own; it does not use one up.
    let order = 0;
    known = layout.services.map((service) => {
      if (service === '') return { code: '?', className: 'service service-none', colour: -1, hatched: false };
      const look = lookByOrder(order++);
      return { code: serviceCode(service), className: lookClass(look), ...look };
    });
    looks.set(layout, known);
  }
  return known;
}
