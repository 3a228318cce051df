import { Fragment } from 'react';
import { useTranslation } from 'react-i18next';
import { ancestorsOf, FLAG_VIRTUAL } from '../model/layout';
import { PlainText } from '../widgets/PlainText';
import { looksOf } from './look';
import styles from './Timeline.module.css';
import type { TraceView } from './useTraceView';

/** Names shown at each end of a long line of ancestors. */
const ENDS = 2;

/** The ancestors of the top row, which have scrolled away: where one is, and the way back up. */
export function Breadcrumb(props: { view: TraceView; top: number; reveal: (row: number) => void }) {
  const { view, top, reveal } = props;
  const { t } = useTranslation('trace');
  if (top < 0 || view.visible[0] === top) return null;
  const ancestors = ancestorsOf(view.layout, top).filter((row) => view.focus < 0 || row >= view.focus);
  if (ancestors.length === 0) return null;
  const long = ancestors.length > 2 * ENDS + 1;
  const shown = long ? [...ancestors.slice(0, ENDS), ...ancestors.slice(-ENDS - 1)] : ancestors;
  const left = ancestors.length - shown.length;
  return (
    <nav className={styles.breadcrumb} aria-label={t('ancestors')}>
      {shown.map((row, i) => (
        <Fragment key={row}>
          {i > 0 && <span aria-hidden="true">›</span>}
          {long && i === ENDS && (
            <>
              <span className={styles.crumbsLeft}>{t('levelsBetween', { count: left })}</span>
              <span aria-hidden="true">›</span>
            </>
          )}
          <button
            type="button"
            className={`${styles.crumb} ${looksOf(view.layout)[view.layout.service[row]!]!.className}`}
            onClick={() => {
              view.select(row);
              reveal(row);
            }}
          >
            <Name view={view} row={row} />
          </button>
        </Fragment>
      ))}
    </nav>
  );
}

function Name({ view: { layout }, row }: { view: TraceView; row: number }) {
  const { t } = useTranslation('trace');
  if (layout.flags[row]! & FLAG_VIRTUAL) return t('missingRoot');
  const operation = layout.operations[layout.operation[row]!]!;
  return (
    <PlainText
      text={operation || layout.services[layout.service[row]!]! || layout.ids.slice(row * 16, row * 16 + 16)}
    />
  );
}
