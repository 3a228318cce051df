import { useTranslation } from 'react-i18next';
import { Page } from '../layout/Page';

export function Trace() {
  const { t } = useTranslation('trace');
  return (
    <Page title={t('title')}>
      <h1>{t('title')}</h1>
    </Page>
  );
}
