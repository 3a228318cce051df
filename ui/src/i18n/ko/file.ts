import type { PlainArea } from '../types';

export const file: PlainArea<'file'> = {
  title: '파일 열기',
  dropHere: '여기 또는 아무 페이지에나 파일을 놓으세요',
  choose: '파일 선택',
  formats: 'Zipkin JSON(v2, v1), Jaeger JSON, OTLP JSON. gzip도 됩니다.',
  stays: '아무것도 전송되지 않으며 트레이스는 이 브라우저에만 남습니다.',
  reading: '파일을 읽는 중…',
  failed: '{{name}}을(를) 읽을 수 없습니다: {{reason}}',
  opened_other: '{{name}}({{size}})의 트레이스 {{number}}개를 열었습니다.',
  notKept: '이 브라우저가 저장하지 않아 페이지를 떠나면 사라집니다.',
  listFailed: '열린 트레이스 목록을 가져올 수 없습니다',
  localTitle: '열린 트레이스',
  localCount_other: '이 브라우저에 트레이스 {{number}}개',
  forget: '모두 지우기',
};
