import { Check, Copy, X } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';

const shownMs = 2_000;

/** Copies a text and says whether it worked, in place. */
export function CopyButton(props: {
  readonly text: string | (() => string | Promise<string>);
  readonly label: string;
  readonly showLabel?: boolean;
  readonly small?: boolean;
}) {
  const { t } = useTranslation('common');
  const [outcome, setOutcome] = useState<'copied' | 'failed'>();
  useEffect(() => {
    if (!outcome) return;
    const timer = setTimeout(() => setOutcome(undefined), shownMs);
    return () => clearTimeout(timer);
  }, [outcome]);
  const copy = async () => {
    const text = typeof props.text === 'string' ? props.text : await props.text();
    setOutcome((await writeClipboard(text)) ? 'copied' : 'failed');
  };
  const Icon = outcome === 'copied' ? Check : outcome === 'failed' ? X : Copy;
  const said = outcome === 'copied' ? t('copied') : outcome === 'failed' ? t('copyFailed') : props.label;
  const shape = props.showLabel ? '' : ' icon quiet';
  return (
    <button
      type="button"
      className={`button${shape}${props.small ? ' small' : ''}`}
      onClick={copy}
      aria-label={props.label}
      title={props.showLabel ? undefined : said}
    >
      <Icon aria-hidden="true" />
      {props.showLabel && <span>{said}</span>}
      <span className="visually-hidden" role="status">
        {outcome && said}
      </span>
    </button>
  );
}

/** The clipboard is absent on plain http; then a selected text area does it. */
async function writeClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    area.className = 'visually-hidden';
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}
