import { useTranslation } from 'react-i18next';
import { Page } from '../layout/Page';

export function File() {
  const { t } = useTranslation('file');
  return (
    <Page title={t('title')}>
      <h1>{t('title')}</h1>
    </Page>
  );
}
