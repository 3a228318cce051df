import { useTranslation } from 'react-i18next';
import type { Layout } from '../model/layout';
import { PlainText } from '../widgets/PlainText';
import { looksOf } from './look';
import styles from './ServiceName.module.css';

/** A service of this trace: its colour and letters as in the rows, and its name. */
export function ServiceName({ layout, service }: { readonly layout: Layout; readonly service: number }) {
  const { t } = useTranslation('trace');
  const look = looksOf(layout)[service]!;
  const name = layout.services[service]!;
  return (
    <span className={`${styles.tag} ${look.className}`}>
      <span className={styles.code} aria-hidden="true">
        {look.code}
      </span>
      <span className={styles.name}>{name === '' ? <em>{t('noService')}</em> : <PlainText text={name} />}</span>
    </span>
  );
}
