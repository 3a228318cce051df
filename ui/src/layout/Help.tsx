import { Fragment } from 'react';
import { useTranslation } from 'react-i18next';
import { usePreferences } from '../settings/preferences';
import { Dialog } from '../widgets/Dialog';
import styles from './Help.module.css';
import { type ShortcutText, shortcutGroups } from './shortcutList';

/** All keys of all pages. */
export default function Help(props: { readonly onClose: () => void }) {
  const { t } = useTranslation('common');
  const { shortcuts } = usePreferences();
  return (
    <Dialog title={t('shortcuts')} onClose={props.onClose} wide>
      {!shortcuts && <p className={styles.off}>{t('shortcutsOff')}</p>}
      <ShortcutTable />
    </Dialog>
  );
}

export function ShortcutTable() {
  const { t } = useTranslation('common');
  return (
    <div className={styles.groups}>
      {shortcutGroups.map(({ title, entries }) => (
        <section key={title}>
          <h3>{t(title)}</h3>
          <dl className={styles.list}>
            {entries.map((entry) => (
              <Fragment key={entry.text}>
                <dt>
                  <Keys keys={entry.keys} />
                </dt>
                <dd>{t(entry.text)}</dd>
              </Fragment>
            ))}
          </dl>
        </section>
      ))}
    </div>
  );
}

function Keys({ keys }: { readonly keys: ShortcutText['keys'] }) {
  return keys.map((key) => (
    <kbd key={key} className={styles.key}>
      {key}
    </kbd>
  ));
}
