/** What the page and the worker that lays the map out say to each other; without the code that does the work. */
export interface LayoutRequest {
  /** Answers carry it back: an answer to an older request is dropped. */
  readonly id: number;
  readonly nodes: readonly { readonly name: string; readonly width: number; readonly height: number }[];
  readonly links: readonly { readonly parent: string; readonly child: string; readonly weight: number }[];
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface LayoutAnswer {
  readonly id: number;
  /** Upper left corners, in the order of the nodes. */
  readonly corners: readonly Point[];
  /** Bends of the edges, in the order of the links; a call of a service to itself has none. */
  readonly paths: readonly (readonly Point[])[];
}

/** How much a link wants to be short and straight. Whole numbers only: with fractions the ranking may not end. */
export function linkWeight(callCount: number): number {
  return Math.round(1 + Math.log10(1 + callCount));
}
