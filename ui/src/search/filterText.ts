import { useTranslation } from 'react-i18next';
import { showInvisible } from '../widgets/invisible';
import type { Problem } from './request';
import type { Filter } from './suggest';

/** Filters in the words of the language. */
export function useFilterText() {
  const { t } = useTranslation('search');
  const filterText = ({ key }: { readonly key: string }): { label: string; hint: string } => {
    switch (key) {
      case 'service':
        return { label: t('filterService'), hint: t('filterServiceHint') };
      case 'span':
        return { label: t('filterSpan'), hint: t('filterSpanHint') };
      case 'remote':
        return { label: t('filterRemote'), hint: t('filterRemoteHint') };
      case 'tag':
        return { label: t('filterTag'), hint: t('filterTagHint') };
      case 'minDuration':
        return { label: t('filterMin'), hint: t('filterMinHint') };
      case 'maxDuration':
        return { label: t('filterMax'), hint: t('filterMaxHint') };
      default:
        return { label: showInvisible(key), hint: t('filterKeyHint') };
    }
  };
  const chipText = (filter: Filter) => t('chip', { key: filterText(filter).label, value: showInvisible(filter.value) });
  const problemText = (problem: Problem) => {
    switch (problem) {
      case 'minDuration':
      case 'maxDuration':
        return t('problemDuration');
      case 'durationOrder':
        return t('problemOrder');
      case 'limit':
        return t('problemLimit');
    }
  };
  return { filterText, chipText, problemText };
}
