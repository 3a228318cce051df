import type { ReactNode } from 'react';
import styles from './ViewBar.module.css';

/** The line above a view: what is shown, and what it can be changed to. */
export function ViewBar(props: { readonly text?: ReactNode; readonly children?: ReactNode }) {
  return (
    <div className={styles.bar}>
      {props.children}
      {props.text !== undefined && (
        <span className={styles.text} role="status">
          {props.text}
        </span>
      )}
    </div>
  );
}

/** A frame for a bar and what is below it. */
export function ViewFrame(props: { readonly children: ReactNode }) {
  return <div className={styles.frame}>{props.children}</div>;
}
