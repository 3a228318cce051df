import type { RomanceArea } from '../types';

export const file: RomanceArea<'file'> = {
  title: 'Ouvrir un fichier',
  dropHere: 'Déposez des fichiers ici, ou sur n’importe quelle page',
  choose: 'Choisir des fichiers',
  formats: 'JSON Zipkin (v2 et v1), JSON Jaeger, JSON OTLP ; brut ou gzip.',
  stays: 'Rien n’est envoyé : les traces restent dans ce navigateur.',
  reading: 'Lecture du fichier…',
  failed: '{{name}} est illisible : {{reason}}',
  opened_one: '{{number}} trace de {{name}} ({{size}}) est ouverte.',
  opened_many: '{{number}} traces de {{name}} ({{size}}) sont ouvertes.',
  opened_other: '{{number}} traces de {{name}} ({{size}}) sont ouvertes.',
  notKept: 'Ce navigateur ne les enregistre pas : elles disparaissent en quittant la page.',
  listFailed: 'Les traces ouvertes n’ont pas pu être listées',
  localTitle: 'Traces ouvertes',
  localCount_one: '{{number}} trace dans ce navigateur',
  localCount_many: '{{number}} traces dans ce navigateur',
  localCount_other: '{{number}} traces dans ce navigateur',
  forget: 'Tout oublier',
};
