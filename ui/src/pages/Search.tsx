import { useTranslation } from 'react-i18next';
import { asksForSearch } from '../address/search';
import { useConfig } from '../api/config';
import { Page } from '../layout/Page';
import { useFilterText } from '../search/filterText';
import { problemsOf } from '../search/request';
import { SearchBar } from '../search/SearchBar';
import { SearchResults } from '../search/SearchResults';
import { Elsewhere, StartScreen } from '../search/StartScreen';
import { filtersOf } from '../search/suggest';
import { useSearchState } from '../search/useSearch';
import { EmptyPanel, LoadingPanel } from '../widgets/StatePanel';
import styles from './Search.module.css';

/** Finding traces. */
export function Search() {
  const { t } = useTranslation('search');
  const { config, ready } = useConfig();
  const { search, request, show, run } = useSearchState();
  const { chipText } = useFilterText();
  const words = filtersOf(search).map(chipText).join(', ');
  const title = words === '' ? t('title') : t('titleOf', { what: words });
  if (ready && !config.searchEnabled) {
    return (
      <Page title={t('title')} className={styles.page}>
        <h1 className="visually-hidden">{t('title')}</h1>
        <EmptyPanel title={t('disabledTitle')}>
          <p className="muted">{t('disabledText')}</p>
        </EmptyPanel>
        <Elsewhere />
      </Page>
    );
  }
  const asked = asksForSearch(search);
  return (
    <Page title={title} className={styles.page}>
      <h1 className="visually-hidden">{title}</h1>
      <SearchBar search={search} onRun={run} />
      {!asked ? (
        <StartScreen onRun={run} />
      ) : request ? (
        <div className={styles.results}>
          <SearchResults search={search} request={request} onShow={show} onRun={run} />
        </div>
      ) : problemsOf(search).length > 0 ? (
        <EmptyPanel title={t('problemTitle')}>
          <p className="muted">{t('problemText')}</p>
        </EmptyPanel>
      ) : (
        <LoadingPanel label={t('searching')} />
      )}
    </Page>
  );
}
