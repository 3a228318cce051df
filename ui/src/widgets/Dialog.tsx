import { X } from 'lucide-react';
import { type ReactNode, useId, useLayoutEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import styles from './Dialog.module.css';

/**
 * A modal dialog on the browser's own `<dialog>`: it keeps the focus inside, gives it back, and closes on Esc. The
 * owner renders it only while it is open.
 */
export function Dialog(props: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
  readonly wide?: boolean;
}) {
  const { t } = useTranslation('common');
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a click beside the dialog closes it, for keys there is Esc
    <dialog
      ref={dialog}
      className={props.wide ? `${styles.dialog} ${styles.wide}` : styles.dialog}
      aria-labelledby={id}
      onClose={props.onClose}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
    >
      <div className={styles.inside}>
        <div className={styles.head}>
          <h2 id={id}>{props.title}</h2>
          <button
            type="button"
            className="button quiet icon"
            aria-label={t('close')}
            onClick={() => dialog.current?.close()}
          >
            <X aria-hidden="true" />
          </button>
        </div>
        {props.children}
      </div>
    </dialog>
  );
}
