import { type ChangeEvent, useId } from 'react';
import { useTranslation } from 'react-i18next';
import { isLookbackStep, type Lookback, lookbackSteps } from '../address/search';
import { useFormat } from '../i18n/format';
import { usePreferences } from '../settings/preferences';
import { DateTimeInput } from '../widgets/DateTimeInput';
import { lookbackMs } from './request';
import styles from './TimeRange.module.css';

/** The window of a search: a fixed step back from now, or a range of its own. */
export function TimeRange(props: { readonly lookback: Lookback; readonly onChange: (lookback: Lookback) => void }) {
  const { lookback, onChange } = props;
  const { t } = useTranslation('search');
  const format = useFormat();
  const { utc } = usePreferences();
  const wordsId = useId();
  const onSelect = ({ target }: ChangeEvent<HTMLSelectElement>) => {
    if (isLookbackStep(target.value)) onChange({ kind: 'step', step: target.value });
    else if (target.value === 'range') {
      const endTs = lookback.endTs ?? Date.now();
      onChange({ kind: 'range', startTs: endTs - lookbackMs(lookback), endTs });
    }
  };
  const value = lookback.kind === 'step' ? lookback.step : lookback.kind;
  return (
    <div className={styles.range}>
      <select
        className="field"
        aria-label={t('timeLabel')}
        value={value}
        onChange={onSelect}
        aria-describedby={lookback.kind === 'range' ? undefined : wordsId}
      >
        {Object.entries(lookbackSteps).map(([step, ms]) => (
          <option key={step} value={step}>
            {t('timeLast', { span: format.span(ms) })}
          </option>
        ))}
        {lookback.kind === 'millis' && (
          <option value="millis">{t('timeLast', { span: format.span(lookback.millis) })}</option>
        )}
        <option value="range">{t('timeRange')}</option>
      </select>
      {lookback.kind === 'range' ? (
        <span className={styles.inputs}>
          <DateTimeInput
            label={t('timeFrom')}
            valueMs={lookback.startTs}
            utc={utc}
            onChange={(startTs) => onChange({ kind: 'range', startTs, endTs: Math.max(lookback.endTs, startTs + 1) })}
          />
          <span aria-hidden="true">–</span>
          <DateTimeInput
            label={t('timeTo')}
            valueMs={lookback.endTs}
            utc={utc}
            onChange={(endTs) => onChange({ kind: 'range', startTs: Math.min(lookback.startTs, endTs - 1), endTs })}
          />
          <span className="muted">{format.zone(lookback.endTs)}</span>
        </span>
      ) : (
        <span className={styles.words} id={wordsId}>
          {lookback.endTs === undefined
            ? t('timeUntilNow')
            : format.range(lookback.endTs - lookbackMs(lookback), lookback.endTs)}
        </span>
      )}
    </div>
  );
}
