import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { CircleAlert, FileUp, Trash2 } from 'lucide-react';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { emptySearch, type SearchAddress } from '../address/search';
import { noFacts } from '../file/formats/values';
import { type OpenedFile, openFile } from '../file/open';
import { takeFiles, usePendingFiles } from '../file/pending';
import { forgetLocalTraces, type LocalEntry, listLocalTraces } from '../file/store';
import { useFormat } from '../i18n/format';
import { Page } from '../layout/Page';
import { Results } from '../search/Results';
import { showInvisible } from '../widgets/invisible';
import { ErrorPanel, LoadingPanel } from '../widgets/StatePanel';
import styles from './File.module.css';

const localKey = ['local'];

/** Opening traces from files: they stay in this browser. */
export function File() {
  const { t } = useTranslation('file');
  const [outcome, open, busy, cancel] = useOpening();
  const local = useQuery({ queryKey: localKey, queryFn: listLocalTraces, staleTime: 0, refetchOnMount: true });
  return (
    <Page title={t('title')} className={styles.page}>
      <div className={styles.inside}>
        <h1>{t('title')}</h1>
        <Picker onFiles={open} disabled={busy} />
        {busy && <LoadingPanel label={t('reading')} onCancel={cancel} />}
        {outcome.map((file) => (
          <Outcome key={file.name} file={file} />
        ))}
      </div>
      {local.isError ? (
        <ErrorPanel title={t('listFailed')} error={local.error} onRetry={() => void local.refetch()} />
      ) : (
        local.data && local.data.length > 0 && <LocalTraces entries={local.data} />
      )}
    </Page>
  );
}

type Outcome = OpenedFile & { readonly kept: boolean };

/** Reads picked and dropped files one after the other; a single trace is shown at once. */
function useOpening(): [readonly Outcome[], (files: readonly globalThis.File[]) => void, boolean, () => void] {
  const navigate = useNavigate();
  const client = useQueryClient();
  const pending = usePendingFiles();
  const abort = useRef<AbortController | undefined>(undefined);
  const [outcome, setOutcome] = useState<readonly Outcome[]>([]);
  const [busy, setBusy] = useState(false);
  const open = useCallback(
    async (files: readonly globalThis.File[]) => {
      if (files.length === 0) return;
      abort.current?.abort();
      const mine = new AbortController();
      abort.current = mine;
      setOutcome([]);
      setBusy(true);
      const results: Outcome[] = [];
      for (const file of files) {
        try {
          results.push(await openFile(file, mine.signal));
        } catch (error) {
          if (mine.signal.aborted) break;
          const failure = { problem: 'badOther', facts: { detail: String(error) } } as const;
          results.push({ name: file.name, size: file.size, failure, kept: true });
        }
      }
      if (abort.current !== mine) return;
      setBusy(false);
      setOutcome(results);
      await client.invalidateQueries({ queryKey: localKey });
      const traceIds = results.flatMap((one) => one.traceIds ?? []);
      const [only] = traceIds;
      if (traceIds.length === 1 && only !== undefined && results.every(({ failure }) => failure === undefined)) {
        await navigate({ to: '/traces/$traceId', params: { traceId: only }, search: { src: 'file' } });
      }
    },
    [client, navigate],
  );
  useEffect(() => {
    if (pending.length > 0) void open(takeFiles());
  }, [pending, open]);
  const cancel = () => {
    abort.current?.abort();
    abort.current = undefined;
    setBusy(false);
  };
  return [outcome, (files) => void open(files), busy, cancel];
}

function Picker(props: { readonly onFiles: (files: readonly globalThis.File[]) => void; readonly disabled: boolean }) {
  const { t } = useTranslation('file');
  const input = useRef<HTMLInputElement>(null);
  return (
    <div className={styles.picker}>
      <FileUp aria-hidden="true" />
      <p className={styles.lead}>{t('dropHere')}</p>
      <button type="button" className="button primary" disabled={props.disabled} onClick={() => input.current?.click()}>
        {t('choose')}
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label={t('choose')}
        onChange={({ target }) => {
          props.onFiles([...(target.files ?? [])]);
          target.value = '';
        }}
      />
      <p className="muted">{t('formats')}</p>
      <p className="muted">{t('stays')}</p>
    </div>
  );
}

function Outcome({ file }: { readonly file: Outcome }) {
  const { t } = useTranslation('file');
  const format = useFormat();
  const name = showInvisible(file.name);
  if (file.failure !== undefined) {
    return (
      <p className={styles.failure} role="alert">
        <CircleAlert aria-hidden="true" />
        <span>
          {t('failed', { name, reason: showInvisible(t(file.failure.problem, { ...noFacts, ...file.failure.facts })) })}
        </span>
      </p>
    );
  }
  const count = file.traceIds?.length ?? 0;
  return (
    <p className={styles.success} role="status">
      {t('opened', { count, number: format.number(count), name, size: format.bytes(file.size) })}
      {!file.kept && ` ${t('notKept')}`}
    </p>
  );
}

/** The traces that this browser keeps. */
function LocalTraces({ entries }: { readonly entries: readonly LocalEntry[] }) {
  const { t } = useTranslation('file');
  const format = useFormat();
  const client = useQueryClient();
  const [search, setSearch] = useState<SearchAddress>({ ...emptySearch, sort: { key: 'start', descending: true } });
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const shown = useMemo(
    () =>
      entries
        .map(({ summary }) => summary)
        .filter((trace) => search.services.every((name) => trace.services.some((service) => service.name === name))),
    [entries, search.services],
  );
  const forget = async () => {
    await forgetLocalTraces();
    await client.invalidateQueries({ queryKey: localKey });
  };
  return (
    <section className={styles.local} aria-label={t('localTitle')}>
      <div className={styles.localHead}>
        <h2>{t('localCount', { count: entries.length, number: format.number(entries.length) })}</h2>
        <button type="button" className="button small" onClick={() => void forget()}>
          <Trash2 aria-hidden="true" />
          {t('forget')}
        </button>
      </div>
      <Results
        local
        traces={shown}
        search={search}
        onShow={(change) => setSearch((last) => ({ ...last, ...change }) as SearchAddress)}
        opened={opened}
        onOpened={setOpened}
      />
    </section>
  );
}
