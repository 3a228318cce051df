import { useNavigate } from '@tanstack/react-router';
import { useLayoutEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { offerFiles } from '../file/pending';
import styles from './Layout.module.css';

const holdsFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') === true;

/** Files dropped on any page are opened by the file page. */
export function DropZone() {
  const { t } = useTranslation('common');
  const navigate = useNavigate();
  const [over, setOver] = useState(false);
  // From the first paint on: a file may be dropped at once.
  useLayoutEffect(() => {
    // Entering a child leaves its parent: only the balance tells whether the pointer is still on the page.
    let depth = 0;
    const onEnter = (event: DragEvent) => {
      if (!holdsFiles(event)) return;
      depth += 1;
      setOver(true);
    };
    const onLeave = (event: DragEvent) => {
      if (!holdsFiles(event)) return;
      depth = Math.max(0, depth - 1);
      if (depth === 0) setOver(false);
    };
    const onOver = (event: DragEvent) => holdsFiles(event) && event.preventDefault();
    const onDrop = (event: DragEvent) => {
      depth = 0;
      setOver(false);
      if (!holdsFiles(event) || !event.dataTransfer) return;
      event.preventDefault();
      offerFiles([...event.dataTransfer.files]);
      void navigate({ to: '/traceViewer' });
    };
    document.addEventListener('dragenter', onEnter);
    document.addEventListener('dragleave', onLeave);
    document.addEventListener('dragover', onOver);
    document.addEventListener('drop', onDrop);
    return () => {
      document.removeEventListener('dragenter', onEnter);
      document.removeEventListener('dragleave', onLeave);
      document.removeEventListener('dragover', onOver);
      document.removeEventListener('drop', onDrop);
    };
  }, [navigate]);
  return over ? <div className={styles.drop}>{t('dropHere')}</div> : null;
}
