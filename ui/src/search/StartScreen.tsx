import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { Rocket } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { parseRaw } from '../address/raw';
import { emptySearch, parseSearch, type SearchAddress } from '../address/search';
import { baseUrl } from '../api/base';
import { uiSettings } from '../api/extensions';
import { servicesQuery } from '../api/names';
import { exampleTrace } from '../file/example';
import { keepLocalTraces } from '../file/store';
import { useFormat } from '../i18n/format';
import { usePreferences } from '../settings/preferences';
import { CopyButton } from '../widgets/CopyButton';
import { showInvisible } from '../widgets/invisible';
import { ServiceTag } from '../widgets/ServiceTag';
import { ErrorPanel, LoadingPanel } from '../widgets/StatePanel';
import { SavedWords } from './SavedSearches';
import styles from './StartScreen.module.css';
import { summarise } from './summary';

/** Services offered at once; the box finds the others. */
const shownServicesMax = 60;

/** What the search page shows before a search: where to begin, and on an empty server how to get traces. */
export function StartScreen(props: { readonly onRun: (search: SearchAddress) => void }) {
  const { t } = useTranslation('search');
  const services = useQuery(servicesQuery());
  if (services.isPending) return <LoadingPanel label={t('loadingServices')} />;
  if (services.isError) {
    return (
      <>
        <ErrorPanel title={t('servicesFailed')} error={services.error} onRetry={() => void services.refetch()} />
        <Elsewhere />
      </>
    );
  }
  return services.data.length === 0 ? (
    <FirstRun onRefresh={() => void services.refetch()} refreshing={services.isFetching} />
  ) : (
    <Begin services={services.data} onRun={props.onRun} />
  );
}

function Begin(props: { readonly services: readonly string[]; readonly onRun: (search: SearchAddress) => void }) {
  const { t } = useTranslation('search');
  const format = useFormat();
  const { saved } = usePreferences();
  const more = props.services.length - shownServicesMax;
  return (
    <div className={styles.start}>
      <section>
        <h2>{t('startTitle')}</h2>
        <p className="muted">{t('startText')}</p>
        <div className={styles.quick}>
          <button type="button" className="button" onClick={() => props.onRun(emptySearch)}>
            {t('startAll')}
          </button>
          <button
            type="button"
            className="button"
            onClick={() => props.onRun({ ...emptySearch, annotations: [{ key: 'error', value: '' }] })}
          >
            {t('startErrors')}
          </button>
          <button type="button" className="button" onClick={() => props.onRun({ ...emptySearch, minDuration: '1s' })}>
            {t('startSlow', { time: format.duration(1_000_000) })}
          </button>
        </div>
      </section>
      {saved.length > 0 && (
        <section>
          <h2>{t('savedTitle')}</h2>
          <ul className={styles.saved}>
            {saved.map(({ name, query }) => (
              <li key={name}>
                <button type="button" onClick={() => props.onRun(parseSearch(parseRaw(query)))}>
                  <span className={styles.savedName}>{showInvisible(name)}</span>
                  <span className={styles.savedWords}>
                    <SavedWords query={query} />
                  </span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
      <section>
        <h2>{t('servicesTitle', { count: props.services.length, number: format.number(props.services.length) })}</h2>
        <ul className={styles.services}>
          {props.services.slice(0, shownServicesMax).map((name) => (
            <li key={name}>
              <button type="button" onClick={() => props.onRun({ ...emptySearch, serviceName: name })}>
                <ServiceTag name={name} />
              </button>
            </li>
          ))}
        </ul>
        {more > 0 && <p className="muted">{t('servicesMore', { count: more, number: format.number(more) })}</p>}
      </section>
    </div>
  );
}

/** Nothing was ever reported: an example to look at, and how to send the first trace. */
function FirstRun(props: { readonly onRefresh: () => void; readonly refreshing: boolean }) {
  const { t } = useTranslation('search');
  const endpoint = new URL('/api/v2/spans', baseUrl()).href;
  return (
    <div className={styles.start}>
      <section className={styles.hero}>
        <Rocket aria-hidden="true" />
        <h2>{t('firstTitle')}</h2>
        <p>{t('firstText')}</p>
        <div className={styles.quick}>
          <ExampleButton />
          <button type="button" className="button" onClick={props.onRefresh} disabled={props.refreshing}>
            {t('firstRefresh')}
          </button>
          <Link to="/traceViewer" className="button quiet">
            {t('firstFile')}
          </Link>
        </div>
      </section>
      <section>
        <h2>{t('connectTitle')}</h2>
        <div className={styles.recipes}>
          <Recipe title={t('connectZipkin')} text={endpoint}>
            {t('connectZipkinText')}
          </Recipe>
          <Recipe title={t('connectOtel')} text={uiSettings().own ? otlp(endpoint) : otelZipkin(endpoint)}>
            {uiSettings().own ? t('connectOtlpText') : t('connectOtelText')}
          </Recipe>
          <Recipe
            title={t('connectSpring')}
            text={`management.zipkin.tracing.endpoint=${endpoint}\nmanagement.tracing.sampling.probability=1.0`}
          >
            {t('connectSpringText')}
          </Recipe>
          <Recipe title={t('connectCurl')} text={curl(endpoint)}>
            {t('connectCurlText')}
          </Recipe>
        </div>
      </section>
    </div>
  );
}

function otlp(endpoint: string): string {
  const { origin } = new URL(endpoint);
  return `OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\nOTEL_EXPORTER_OTLP_ENDPOINT=${origin}`;
}

/** A plain zipkin-server takes no OTLP. */
function otelZipkin(endpoint: string): string {
  return `OTEL_TRACES_EXPORTER=zipkin\nOTEL_EXPORTER_ZIPKIN_ENDPOINT=${endpoint}`;
}

function curl(endpoint: string): string {
  const span = `[{"traceId":"'$(openssl rand -hex 16)'","id":"'$(openssl rand -hex 8)'","kind":"SERVER","name":"get /","timestamp":'$(date +%s)000000',"duration":25000,"localEndpoint":{"serviceName":"hello"}}]`;
  return `curl ${endpoint} -H 'content-type: application/json' \\\n  -d '${span}'`;
}

function Recipe(props: { readonly title: string; readonly text: string; readonly children: ReactNode }) {
  const { t } = useTranslation('search');
  return (
    <article className={styles.recipe}>
      <h3>{props.title}</h3>
      <p className="muted">{props.children}</p>
      <div className={styles.code}>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys */}
        <pre tabIndex={0}>{props.text}</pre>
        <CopyButton text={props.text} label={t('copyRecipe', { name: props.title })} small />
      </div>
    </article>
  );
}

/** Opens the example in this browser alone: nothing is written to the server. */
function ExampleButton() {
  const { t } = useTranslation('search');
  const navigate = useNavigate();
  const [busy, setBusy] = useState(false);
  const open = async () => {
    setBusy(true);
    const openedMs = Date.now();
    const spans = exampleTrace(openedMs - 1_000);
    const traceId = spans[0]?.traceId ?? '';
    const json = new TextEncoder().encode(JSON.stringify(spans));
    const [summary] = summarise([spans]);
    if (summary) await keepLocalTraces([{ traceId, fileName: t('exampleName'), openedMs, summary, json }]);
    await navigate({ to: '/traces/$traceId', params: { traceId }, search: { src: 'file' } });
  };
  return (
    <button type="button" className="button primary" onClick={open} disabled={busy}>
      {t('firstExample')}
    </button>
  );
}

/** What works without the server's data. */
export function Elsewhere() {
  const { t } = useTranslation('search');
  return (
    <div className={styles.elsewhere}>
      <ExampleButton />
      <Link to="/traceViewer" className="button">
        {t('firstFile')}
      </Link>
    </div>
  );
}
