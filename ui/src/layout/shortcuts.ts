import { useLayoutEffect, useRef } from 'react';
import { preferences } from '../settings/preferences';

/**
 * Keys to their action. A key is what `KeyboardEvent.key` says (`/`, `?`, `e`, `E`, `[`), with `Ctrl+` before it where
 * it is held (Command on a Mac counts as Ctrl), or two keys one after the other (`g s`). An action that returns false
 * leaves the key to the browser.
 */
export type Shortcuts = Readonly<Record<string, (event: KeyboardEvent) => unknown>>;

/** The second key of a pair must follow within this time. */
const pairMs = 1_200;

interface Layer {
  current: Shortcuts;
}
/** The newest layer is asked first: a page's keys stand above the global ones. */
const layers: Layer[] = [];
let pending: { key: string; untilMs: number } | undefined;
let listening = false;

/** Whether typing at this place writes text, so that letters belong to it. */
export function takesText(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement)
    return true;
  if (!(target instanceof HTMLInputElement)) return false;
  return !['button', 'checkbox', 'radio', 'range', 'submit', 'reset', 'file', 'color'].includes(target.type);
}

function nameOf(event: KeyboardEvent): string {
  return event.ctrlKey || event.metaKey ? `Ctrl+${event.key.toLowerCase()}` : event.key;
}

function find(name: string): ((event: KeyboardEvent) => unknown) | undefined {
  for (let i = layers.length - 1; i >= 0; i -= 1) {
    const shortcuts = layers[i]?.current;
    if (shortcuts && Object.hasOwn(shortcuts, name)) return shortcuts[name];
  }
  return undefined;
}

function startsPair(key: string): boolean {
  return layers.some((layer) => Object.keys(layer.current).some((name) => name.startsWith(`${key} `)));
}

function onKeyDown(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing || event.altKey) return;
  const single = !event.ctrlKey && !event.metaKey;
  // A list under virtual focus hears the keys of its input again, so where the focus is counts too.
  const typing = takesText(event.target) || takesText(document.activeElement);
  if (single && (typing || !preferences().shortcuts)) return;
  // An open dialog has the keyboard for itself.
  if (document.querySelector('dialog[open]')) return;
  const name = nameOf(event);
  const pair = pending && event.timeStamp <= pending.untilMs ? find(`${pending.key} ${name}`) : undefined;
  pending = undefined;
  const action = pair ?? find(name);
  if (action) {
    if (action(event) !== false) event.preventDefault();
  } else if (single && startsPair(name)) {
    pending = { key: name, untilMs: event.timeStamp + pairMs };
  }
}

/** Keys that work while the component is shown: from its first paint on, so that none is lost right after it. */
export function useShortcuts(shortcuts: Shortcuts): void {
  const layer = useRef<Layer>({ current: shortcuts });
  useLayoutEffect(() => {
    layer.current.current = shortcuts;
  });
  useLayoutEffect(() => {
    const mine = layer.current;
    layers.push(mine);
    if (!listening) {
      document.addEventListener('keydown', onKeyDown);
      listening = true;
    }
    return () => {
      layers.splice(layers.indexOf(mine), 1);
    };
  }, []);
}
