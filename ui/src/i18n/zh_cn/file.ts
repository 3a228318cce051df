import type { PlainArea } from '../types';

export const file: PlainArea<'file'> = {
  title: '打开文件',
  dropHere: '将文件拖到此处，或任意页面的任意位置',
  choose: '选择文件',
  formats: 'Zipkin JSON（v2 和 v1）、Jaeger JSON、OTLP JSON；可为 gzip 压缩。',
  stays: '不会发送任何内容：链路保留在此浏览器中。',
  reading: '正在读取文件…',
  failed: '无法读取 {{name}}：{{reason}}',
  opened_other: '已打开 {{name}}（{{size}}）中的 {{number}} 条链路。',
  notKept: '此浏览器不会存储它们：离开页面后即消失。',
  listFailed: '无法列出已打开的链路',
  localTitle: '已打开的链路',
  localCount_other: '此浏览器中有 {{number}} 条链路',
  forget: '全部清除',
};
