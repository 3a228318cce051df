import { useTranslation } from 'react-i18next';
import { Page } from '../layout/Page';

export function ServiceMap() {
  const { t } = useTranslation('map');
  return (
    <Page title={t('title')}>
      <h1>{t('title')}</h1>
    </Page>
  );
}
