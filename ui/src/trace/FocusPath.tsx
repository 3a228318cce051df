import { useTranslation } from 'react-i18next';
import { ancestorsOf, FLAG_VIRTUAL } from '../model/layout';
import { PlainText } from '../widgets/PlainText';
import styles from './FlameView.module.css';
import type { TraceView } from './useTraceView';

/** Names shown of a long way. */
const SHOWN_MAX = 4;

/** The way from the whole trace to the part that is shown alone; each step leads back. */
export function FocusPath({ view }: { readonly view: TraceView }) {
  const { layout, focus } = view;
  const { t } = useTranslation('trace');
  if (focus < 0) return null;
  const way = ancestorsOf(layout, focus);
  const shown = way.slice(-SHOWN_MAX);
  return (
    <nav className={styles.path} aria-label={t('ancestors')}>
      <button type="button" className={styles.step} onClick={() => view.setFocus(-1)}>
        {t('wholeTrace')}
      </button>
      {shown.length < way.length && <span>› …</span>}
      {shown
        .filter((row) => !(layout.flags[row]! & FLAG_VIRTUAL))
        .map((row) => (
          <span key={row} className={styles.crumb}>
            <span aria-hidden="true">› </span>
            <button type="button" className={styles.step} onClick={() => view.setFocus(row)}>
              <PlainText text={layout.operations[layout.operation[row]!]! || layout.services[layout.service[row]!]!} />
            </button>
          </span>
        ))}
      <span className={styles.crumb} aria-current="true">
        <span aria-hidden="true">› </span>
        <PlainText text={layout.operations[layout.operation[focus]!]! || layout.services[layout.service[focus]!]!} />
      </span>
    </nav>
  );
}
