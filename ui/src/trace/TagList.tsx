import { Link } from '@tanstack/react-router';
import { Search } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { formatAnnotationQuery } from '../address/annotations';
import { uiSettings } from '../api/extensions';
import { fillUrl } from '../api/links';
import { useFormat } from '../i18n/format';
import { CopyButton } from '../widgets/CopyButton';
import { PlainText } from '../widgets/PlainText';
import { LinkedText, SafeLink } from '../widgets/SafeLink';
import type { HalfDetail, TagDetail } from '../worker/protocol';
import styles from './Detail.module.css';
import { saveText } from './download';
import { Marked } from './Marked';
import type { TraceView } from './useTraceView';

/** From this many tags on there is a box to filter them. */
const FILTER_FROM = 9;
/** The search for a tag looks this far before and after the trace. */
const SEARCH_AROUND_MS = 30 * 60_000;

export function TagList({ view, half }: { view: TraceView; half: HalfDetail }) {
  const { t } = useTranslation('trace');
  const format = useFormat();
  const [filter, setFilter] = useState('');
  if (half.tags.length === 0) return null;
  const wanted = filter.trim().toLowerCase();
  const shown = half.tags.filter(
    ({ key, text }) => wanted === '' || key.toLowerCase().includes(wanted) || text.toLowerCase().includes(wanted),
  );
  return (
    <>
      <div className={styles.headingLine}>
        <h4 className={styles.heading}>
          {t('headingTags')} <span className={styles.count}>{format.number(half.tags.length)}</span>
        </h4>
        {half.tags.length >= FILTER_FROM && (
          <input
            type="search"
            className={`field ${styles.filter}`}
            value={filter}
            placeholder={t('filterTags')}
            aria-label={t('filterTags')}
            onChange={(event) => setFilter(event.target.value)}
          />
        )}
      </div>
      <table className={styles.table}>
        <tbody>
          {shown.map((tag) => (
            <Tag key={tag.key} view={view} half={half} tag={tag} />
          ))}
        </tbody>
      </table>
      {shown.length === 0 && <p className="muted">{t('noTagMatches')}</p>}
    </>
  );
}

function Tag({ view, half, tag }: { view: TraceView; half: HalfDetail; tag: TagDetail }) {
  const { t } = useTranslation('trace');
  const [whole, setWhole] = useState<string>();
  const [pretty, setPretty] = useState(false);
  const text = whole ?? tag.text;
  const json = useMemo(() => (looksLikeJson(text) ? printedJson(text) : undefined), [text]);
  const fetchWhole = () => view.trace.call('value', view.layout.split, { span: half.span, key: tag.key });
  const matches = view.found.words.length > 0;
  return (
    <tr className={tag.key === 'error' ? styles.errorTag : undefined}>
      <th scope="row">{matches ? <Marked text={tag.key} words={view.found.words} /> : <PlainText text={tag.key} />}</th>
      <td className={isCode(tag.key, text) ? `${styles.value} ${styles.code}` : styles.value}>
        {pretty && json !== undefined ? (
          <PlainText text={json} />
        ) : matches ? (
          <Marked text={text} words={view.found.words} />
        ) : (
          <LinkedText text={text} />
        )}
        {text === '' && <span className="muted">{t('emptyValue')}</span>}
        {whole === undefined && tag.length > tag.text.length && (
          <TooLong length={tag.length} fetchWhole={fetchWhole} onWhole={setWhole} name={tag.key} />
        )}
        <TagLinks view={view} half={half} tag={tag} />
        <span className={styles.tools}>
          {json !== undefined && (
            <button
              type="button"
              className="button quiet small"
              aria-pressed={pretty}
              onClick={() => setPretty(!pretty)}
            >
              {t('prettyJson')}
            </button>
          )}
          <CopyButton
            text={() => (tag.length > tag.text.length ? fetchWhole() : tag.text)}
            label={t('copyValue', { name: tag.key })}
            small
          />
          <Link
            to="/"
            search={searchFor(view, tag) as never}
            className="button quiet small icon"
            aria-label={t('searchTag', { name: tag.key })}
            title={t('searchTag', { name: tag.key })}
          >
            <Search aria-hidden="true" />
          </Link>
        </span>
      </td>
    </tr>
  );
}

function TooLong(props: {
  length: number;
  name: string;
  fetchWhole: () => Promise<string>;
  onWhole: (text: string) => void;
}) {
  const { t } = useTranslation('trace');
  const format = useFormat();
  return (
    <span className={styles.tooLong}>
      …
      <button type="button" className="button small" onClick={async () => props.onWhole(await props.fetchWhole())}>
        {t('showWhole', { size: format.bytes(props.length) })}
      </button>
      <button
        type="button"
        className="button small"
        onClick={async () => saveText(await props.fetchWhole(), `${props.name}.txt`)}
      >
        {t('download')}
      </button>
    </span>
  );
}

/** Links that the operator set up for a tag. */
function TagLinks({ view, half, tag }: { view: TraceView; half: HalfDetail; tag: TagDetail }) {
  const service = half.local?.serviceName;
  const links = uiSettings().linkPatterns.flatMap((pattern) => {
    if (pattern.tag !== tag.key || (pattern.service !== undefined && pattern.service !== service)) return [];
    const href = fillUrl(pattern.url, { value: tag.text, traceId: view.layout.traceId, spanId: half.id });
    return href ? [{ href, label: pattern.label ?? new URL(href).host }] : [];
  });
  return links.map(({ href, label }) => (
    <SafeLink key={href} href={href} className={styles.patternLink ?? ''}>
      {label}
    </SafeLink>
  ));
}

/** The search page with this tag, around the time of the trace. */
function searchFor(view: TraceView, tag: TagDetail): Record<string, string> {
  const atMs = Math.round(view.layout.times.originUs / 1000);
  return {
    annotationQuery: formatAnnotationQuery([{ key: tag.key, value: tag.text }]),
    lookback: 'range',
    startTs: String(atMs - SEARCH_AROUND_MS),
    endTs: String(atMs + SEARCH_AROUND_MS),
    limit: '10',
  };
}

/** SQL, stack traces and other text of several lines is read in columns. */
function isCode(key: string, text: string): boolean {
  return text.includes('\n') || /(^|[._-])(sql|statement|query|stack|stacktrace|trace)$/i.test(key);
}

function looksLikeJson(text: string): boolean {
  return (
    text.length > 2 && ((text.startsWith('{') && text.endsWith('}')) || (text.startsWith('[') && text.endsWith(']')))
  );
}

function printedJson(text: string): string | undefined {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return undefined;
  }
}
