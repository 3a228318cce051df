import type { RomanceArea } from '../types';

export const file: RomanceArea<'file'> = {
  title: 'Abrir un archivo',
  dropHere: 'Suelte archivos aquí o en cualquier página',
  choose: 'Elegir archivos',
  formats: 'JSON de Zipkin (v2 y v1), JSON de Jaeger, JSON de OTLP; sin comprimir o gzip.',
  stays: 'No se envía nada: las trazas quedan en este navegador.',
  reading: 'Leyendo el archivo…',
  failed: 'No se pudo leer {{name}}: {{reason}}',
  opened_one: 'Abierta {{number}} traza de {{name}} ({{size}}).',
  opened_many: 'Abiertas {{number}} trazas de {{name}} ({{size}}).',
  opened_other: 'Abiertas {{number}} trazas de {{name}} ({{size}}).',
  notKept: 'Este navegador no las guarda: desaparecen al salir de la página.',
  listFailed: 'No se pudieron listar las trazas abiertas',
  localTitle: 'Trazas abiertas',
  localCount_one: '{{number}} traza en este navegador',
  localCount_many: '{{number}} trazas en este navegador',
  localCount_other: '{{number}} trazas en este navegador',
  forget: 'Olvidar todas',
};
