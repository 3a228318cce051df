import { Fragment, memo } from 'react';
import { useTranslation } from 'react-i18next';
import { ancestorsOf, FLAG_VIRTUAL, type Layout } from '../model/layout';
import { PlainText } from '../widgets/PlainText';
import styles from './Timeline.module.css';

/** Names shown at each end of a long line of ancestors. */
const ENDS = 2;

/** A row and its ancestors, which have scrolled away: where one is, and the way back up. */
export const Breadcrumb = memo(function Breadcrumb(props: {
  readonly layout: Layout;
  readonly focus: number;
  /** The lowest of them, -1 for nothing to show. */
  readonly row: number;
  readonly onChoose: (row: number) => void;
}) {
  const { layout, focus, row: lowest } = props;
  const { t } = useTranslation('trace');
  if (lowest < 0 || lowest < focus) return null;
  const ancestors = [...ancestorsOf(layout, lowest), lowest].filter((row) => row >= focus);
  const long = ancestors.length > 2 * ENDS + 1;
  const shown = long ? [...ancestors.slice(0, ENDS), ...ancestors.slice(-ENDS - 1)] : ancestors;
  return (
    <nav className={styles.breadcrumb} aria-label={t('ancestors')}>
      {shown.map((row, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: an element is its place: others come into it with every scroll
        <Fragment key={i}>
          {i > 0 && <span aria-hidden="true">›</span>}
          {long && i === ENDS && (
            <>
              <span className={styles.crumbsLeft}>
                {t('levelsBetween', { count: ancestors.length - shown.length })}
              </span>
              <span aria-hidden="true">›</span>
            </>
          )}
          <button type="button" className={styles.crumb} onClick={() => props.onChoose(row)}>
            {layout.flags[row]! & FLAG_VIRTUAL ? t('missingRoot') : <PlainText text={crumbName(layout, row)} />}
          </button>
        </Fragment>
      ))}
    </nav>
  );
});

function crumbName(layout: Layout, row: number): string {
  return (
    layout.operations[layout.operation[row]!]! ||
    layout.services[layout.service[row]!]! ||
    layout.ids.slice(row * 16, row * 16 + 16)
  );
}
