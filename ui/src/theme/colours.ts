/**
 * Colours of services. The eight of each theme keep a distance in OKLab that also people with protan, deutan or tritan
 * vision see, and 3:1 to the background; from the ninth service on they repeat with a hatch. A code of one or two
 * letters stands beside the colour, which is never the only sign. The values are tokens (`--service-0` … `--service-7`).
 */
export const serviceColours = 8;

export interface ServiceLook {
  /** 0-7: the token `--service-{n}`. */
  readonly colour: number;
  readonly hatched: boolean;
}

/** The look of the n-th service of a trace, by order of first appearance. */
export function lookByOrder(index: number): ServiceLook {
  return { colour: index % serviceColours, hatched: index % (2 * serviceColours) >= serviceColours };
}

/** The look of a service where there is no order (search): the same name always looks the same. */
export function lookByName(name: string): ServiceLook {
  // FNV-1a over UTF-16 code units.
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193) >>> 0;
  return lookByOrder(hash % (2 * serviceColours));
}

/** Two letters for a service: the initials of its first two words, or the first two of its only word. */
export function serviceCode(name: string): string {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
  const [first = [], second] = words.map((word) => [...word]);
  const letters = second ? [first[0], second[0]] : first.slice(0, 2);
  return letters.join('').toUpperCase() || '?';
}

/** Class names of base.css that set `--service` and the hatch. */
export function lookClass({ colour, hatched }: ServiceLook): string {
  return hatched ? `service service-${colour} hatched` : `service service-${colour}`;
}

/** The colour that a token (`--service-3`) has at an element, in a form that a canvas takes. */
export function readColour(element: Element, token: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${token})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
