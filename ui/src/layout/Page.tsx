import { type ReactNode, useEffect } from 'react';
import { useConfig } from '../api/config';
import { showInvisible } from '../widgets/invisible';

/**
 * The frame of a page: sets the document's title (`title – Zipkin [environment]`) and gives the landmark that the skip
 * link leads to. `fill`: the page takes exactly the height of the window and scrolls inside.
 */
export function Page(props: {
  readonly title: string;
  readonly children: ReactNode;
  readonly className?: string | undefined;
}) {
  const { config } = useConfig();
  const suffix = config.environment === '' ? 'Zipkin' : `Zipkin [${config.environment}]`;
  const title = `${showInvisible(props.title)} – ${suffix}`;
  useEffect(() => {
    document.title = title;
  }, [title]);
  return (
    <main id="content" tabIndex={-1} className={props.className}>
      {props.children}
    </main>
  );
}
