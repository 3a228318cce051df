import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react';
import styles from './Popup.module.css';

/**
 * A button that opens a small panel below it: closed by Escape, by a click elsewhere and when the focus leaves. With
 * `menu` the arrow keys go from entry to entry.
 */
export function Popup(props: {
  readonly label: ReactNode;
  /** Names the panel; the button, too, unless its label is text. */
  readonly name: string;
  readonly labelled?: boolean;
  readonly className: string;
  readonly menu?: boolean;
  readonly end?: boolean;
  readonly children: (close: () => void) => ReactNode;
}) {
  const id = useId();
  const [open, setOpen] = useState(false);
  const frame = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!open) return;
    const outside = (event: Event) => {
      if (!frame.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener('pointerdown', outside);
    document.addEventListener('focusin', outside);
    if (props.menu) entries(frame.current)[0]?.focus();
    return () => {
      document.removeEventListener('pointerdown', outside);
      document.removeEventListener('focusin', outside);
    };
  }, [open, props.menu]);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (!open) return;
    if (event.key === 'Escape') {
      event.preventDefault();
      close();
    } else if (props.menu) {
      const all = entries(frame.current);
      const at = all.indexOf(document.activeElement as HTMLElement);
      const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      all[(next + all.length) % all.length]?.focus();
    }
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys of the button and the panel, caught in one place
    <div ref={frame} className={styles.frame} onKeyDown={onKeyDown}>
      <button
        ref={button}
        type="button"
        className={props.className}
        aria-haspopup={props.menu ? 'menu' : 'dialog'}
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        aria-label={props.labelled ? undefined : props.name}
        title={props.labelled ? undefined : props.name}
        onClick={() => setOpen(!open)}
      >
        {props.label}
      </button>
      {open && (
        // biome-ignore lint/a11y/useAriaPropsSupportedByRole: both roles take a label
        <div
          id={id}
          role={props.menu ? 'menu' : 'dialog'}
          aria-label={props.name}
          className={props.end ? `${styles.panel} ${styles.end}` : styles.panel}
        >
          {props.children(close)}
        </div>
      )}
    </div>
  );
}

function entries(frame: HTMLElement | null): HTMLElement[] {
  return [...(frame?.querySelectorAll<HTMLElement>('[role=menuitem]:not([disabled])') ?? [])];
}

export function MenuItem(props: {
  readonly icon: ReactNode;
  readonly children: ReactNode;
  readonly onChoose: () => void;
}) {
  return (
    <button type="button" role="menuitem" tabIndex={-1} className={styles.item} onClick={props.onChoose}>
      {props.icon}
      <span>{props.children}</span>
    </button>
  );
}

export const menuItemClass = styles.item;
