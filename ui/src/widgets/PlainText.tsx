import { Fragment } from 'react';
import { splitInvisible } from './invisible';
import styles from './PlainText.module.css';

/** Text of data, with invisible and direction-changing characters shown as marked escapes. */
export function PlainText(props: { readonly text: string }) {
  const parts = splitInvisible(props.text);
  if (parts.length === 1 && !parts[0]?.escaped) return props.text;
  return parts.map((part, index) =>
    part.escaped ? (
      // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one text have no other identity
      <span key={index} className={styles.escape}>
        {part.text}
      </span>
    ) : (
      // biome-ignore lint/suspicious/noArrayIndexKey: as above
      <Fragment key={index}>{part.text}</Fragment>
    ),
  );
}
