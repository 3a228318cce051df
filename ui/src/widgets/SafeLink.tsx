import { ExternalLink } from 'lucide-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { type HttpUrl, safeUrl } from '../api/links';
import { PlainText } from './PlainText';

/** A link to another site; only a checked address can be given. */
export function SafeLink(props: { readonly href: HttpUrl; readonly children: ReactNode; readonly className?: string }) {
  const { t } = useTranslation('common');
  return (
    <a href={props.href} target="_blank" rel="noopener noreferrer" className={props.className}>
      {props.children}
      <ExternalLink className="icon-inline" aria-hidden="true" />
      <span className="visually-hidden">{t('opensNewTab')}</span>
    </a>
  );
}

/** A value of data: a link when the whole of it is a safe address, else text. */
export function LinkedText(props: { readonly text: string }) {
  const href = safeUrl(props.text);
  const text = <PlainText text={props.text} />;
  return href ? <SafeLink href={href}>{text}</SafeLink> : text;
}
