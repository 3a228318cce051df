import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormat } from '../i18n/format';
import type { Layout } from '../model/layout';
import { PlainText } from '../widgets/PlainText';
import styles from './Contributors.module.css';
import { looksOf } from './look';
import { shareText } from './share';
import type { TraceView } from './useTraceView';

/** From this many rows on, where the time went cannot be seen at a glance. */
const FROM_ROWS = 500;
const SHOWN = 5;

interface Contributor {
  readonly service: number;
  readonly operation: number;
  readonly us: number;
}

/** In large traces: the operations that take most of the critical path. A click finds their rows. */
export function Contributors({ view }: { readonly view: TraceView }) {
  const { t } = useTranslation('trace');
  const format = useFormat();
  const { layout, update } = view;
  const top = useMemo(() => contributors(layout), [layout]);
  if (layout.rowCount < FROM_ROWS || top.length === 0 || view.address.view !== 'timeline') return null;
  const looks = looksOf(layout);
  return (
    <section className={styles.strip} aria-label={t('contributorsLabel')}>
      <span className={styles.title}>{t('contributors')}</span>
      {top.map(({ service, operation, us }) => {
        const serviceName = layout.services[service]!;
        const name = layout.operations[operation]!;
        return (
          <button
            key={`${service}/${operation}`}
            type="button"
            className={`${styles.one} ${looks[service]!.className}`}
            title={`${serviceName} ${name} · ${format.duration(us)}`}
            onClick={() => update({ find: findFor(serviceName, name) })}
          >
            <span className={styles.bar} style={{ width: `${(us / layout.critical.totalUs) * 100}%` }} />
            <span className={styles.name}>
              <PlainText text={`${serviceName} ${name}`.trim()} />
            </span>
            <span className={styles.share}>{shareText(format, us / layout.critical.totalUs)}</span>
          </button>
        );
      })}
    </section>
  );
}

/** The query that finds the rows of one operation. */
export function findFor(service: string, operation: string): string {
  const term = (field: string, text: string) =>
    `${field}:${/[\s"]/.test(text) ? `"${text.replaceAll('"', '')}"` : text}`;
  return [service && term('service', service), operation && term('name', operation)].filter(Boolean).join(' ');
}

function contributors(layout: Layout): Contributor[] {
  const sums = new Map<number, Contributor & { us: number }>();
  for (let row = 0; row < layout.rowCount; row++) {
    const us = layout.critical.share[row]!;
    if (us === 0) continue;
    const service = layout.service[row]!;
    const operation = layout.operation[row]!;
    const key = service * layout.operations.length + operation;
    const sum = sums.get(key);
    if (sum) sum.us += us;
    else sums.set(key, { service, operation, us });
  }
  return [...sums.values()].sort((a, b) => b.us - a.us).slice(0, SHOWN);
}
