import { useTranslation } from 'react-i18next';
import { Page } from '../layout/Page';

export function Settings() {
  const { t } = useTranslation('settings');
  return (
    <Page title={t('title')}>
      <h1>{t('title')}</h1>
    </Page>
  );
}
