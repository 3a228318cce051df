import { Link, useLocation } from '@tanstack/react-router';
import { Compass } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Page } from '../layout/Page';
import { showInvisible } from '../widgets/invisible';
import { EmptyPanel } from '../widgets/StatePanel';

/** What the server answers with 404 and this application for any path it does not know. */
export function NotFound() {
  const { t } = useTranslation('common');
  const path = useLocation({ select: (location) => location.pathname });
  return (
    <Page title={t('notFoundTitle')}>
      <EmptyPanel main title={t('notFoundTitle')} icon={<Compass aria-hidden="true" />}>
        <p className="muted">{t('notFoundText', { path: showInvisible(path) })}</p>
        <Link to="/" className="button primary">
          {t('backToSearch')}
        </Link>
      </EmptyPanel>
    </Page>
  );
}
