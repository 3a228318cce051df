import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { parseTraceId } from '../address/traceId';
import styles from './TraceIdBox.module.css';

const boxId = 'trace-id-box';

export function focusTraceIdBox(): void {
  document.getElementById(boxId)?.focus();
}

/** Goes to a trace by its id, an address that holds one, a `traceparent` or a `b3` value. */
export function TraceIdBox() {
  const { t } = useTranslation('common');
  const navigate = useNavigate();
  const [text, setText] = useState('');
  const [wrong, setWrong] = useState(false);
  const errorId = useId();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const traceId = parseTraceId(text);
    setWrong(traceId === undefined && text.trim() !== '');
    if (traceId === undefined) return;
    setText('');
    void navigate({ to: '/traces/$traceId', params: { traceId } });
  };
  return (
    <form className={styles.form} onSubmit={submit}>
      <input
        id={boxId}
        className={`field ${styles.input}`}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setWrong(false);
        }}
        placeholder={t('traceIdPlaceholder')}
        aria-label={t('traceIdLabel')}
        aria-invalid={wrong}
        aria-describedby={wrong ? errorId : undefined}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        maxLength={4_000}
        enterKeyHint="go"
      />
      {wrong && (
        <p className={styles.error} id={errorId} role="alert">
          {t('traceIdWrong')}
        </p>
      )}
    </form>
  );
}
