/**
 * The style sheet of a report: light and dark, wide and narrow screens, print. The charts use the same colour variables.
 * Text has a contrast of at least 4.5, areas of a chart at least 3.
 */
const LIGHT = `
  --paper: #ffffff; --ink: #1b2330; --muted: #566173; --faint: #8491a2; --hairline: #e1e5eb; --band: #f3f5f8;
  --blue-1: #2f6fd0; --blue-2: #6394de; --blue-3: #1c4a92;
  --green-1: #24875a; --green-2: #46a279; --green-3: #175a3c;
  --other-1: #7a5fae; --other-2: #a0722c; --other-3: #667085;
  --good: #1b7048; --bad: #b3261e; --bad-area: #d4463c; --warn: #8a5a00;`;

const DARK = `
  --paper: #12161d; --ink: #e4e8ee; --muted: #9aa6b6; --faint: #6b7888; --hairline: #2a323d; --band: #191f28;
  --blue-1: #5294ee; --blue-2: #8dbaf8; --blue-3: #3b70bd;
  --green-1: #3fa878; --green-2: #83cfab; --green-3: #2f7e5a;
  --other-1: #a48bd6; --other-2: #cb9a50; --other-3: #8b96a8;
  --good: #62c797; --bad: #ff8a80; --bad-area: #ef6a60; --warn: #e0ab4a;`;

/** Below these window widths a report shows narrow charts, and tables as lists. */
const NARROW = "44rem";
const TABLES_AS_LISTS = "54rem";

export const STYLE = `
:root { color-scheme: light dark; ${LIGHT} }
@media screen and (prefers-color-scheme: dark) { :root { ${DARK} } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 3rem 1.5rem 4rem; max-width: 61rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: anywhere;
}
h1, h2, h3, p, dl, dd, ol, ul, figure, table, pre { margin: 0; padding: 0; }
h1 { font-size: 2.5rem; line-height: 1.12; font-weight: 650; letter-spacing: -0.022em; text-wrap: balance; }
h2 { font-size: 1.3rem; line-height: 1.3; font-weight: 650; letter-spacing: -0.01em; }
h3 { font-size: 0.95rem; line-height: 1.4; font-weight: 600; }
h3 small { font-size: 0.875rem; font-weight: 400; color: var(--muted); margin-left: 0.35em; }
section { margin-top: 2.75rem; padding-top: 1.5rem; border-top: 1px solid var(--hairline); }
code, pre { font-family: ui-monospace, SFMono-Regular, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
code { font-size: 0.9em; }
.muted { color: var(--muted); }
.good { color: var(--good); }
.bad { color: var(--bad); }
.warn { color: var(--warn); }
.kind { display: flex; align-items: baseline; gap: 0.6rem; margin-bottom: 1.1rem; color: var(--muted); font-size: 0.95rem; }
.mark { display: inline-flex; flex: none; }
.mark i { width: 0.7rem; height: 0.7rem; }
.lead { margin-top: 1rem; max-width: 46rem; font-size: 1.125rem; line-height: 1.5; text-wrap: pretty; }
.lead + .lead { margin-top: 0.5rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr)); gap: 1.5rem; margin-top: 2.25rem; }
.figures div { border-top: 2px solid var(--ink); padding-top: 0.7rem; }
.figures dt { color: var(--muted); font-size: 0.875rem; line-height: 1.35; }
.figures dd { font-size: 1.75rem; line-height: 1.25; font-weight: 600; letter-spacing: -0.015em; font-variant-numeric: tabular-nums; }
.figures dd + dd { font-size: 0.875rem; font-weight: 400; letter-spacing: 0; color: var(--muted); line-height: 1.4; }
.figures div { display: flex; flex-direction: column; }
.figures dt { order: -1; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 0.45rem 1.75rem; }
.facts dt { color: var(--muted); }
section > * + * { margin-top: 1rem; }
figure + figure { margin-top: 1.5rem; }
figure svg { display: block; width: 100%; height: auto; margin-top: 0.25rem; }
.wide { display: block; }
.narrow { display: none; max-width: 34rem; }
.legend { display: flex; flex-wrap: wrap; gap: 0.3rem 1.3rem; margin-top: 0.5rem; list-style: none; font-size: 0.875rem; line-height: 1.4; }
.legend li { display: flex; align-items: baseline; gap: 0.45rem; }
.swatch { flex: none; display: inline-block; width: 0.7rem; height: 0.7rem; border-radius: 2px; align-self: center; }
.stroke { flex: none; display: inline-block; width: 1.1rem; height: 0; border-top: 2px solid; align-self: center; }
table { width: 100%; border-collapse: collapse; font-size: 0.9rem; line-height: 1.45; font-variant-numeric: tabular-nums; overflow-wrap: break-word; }
.long, code { overflow-wrap: anywhere; }
th, td { padding: 0.5rem 0.9rem 0.5rem 0; text-align: left; vertical-align: baseline; border-bottom: 1px solid var(--hairline); }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--muted); font-weight: 400; font-size: 0.8125rem; line-height: 1.3; vertical-align: bottom; }
tbody th { font-weight: 500; }
thead th, .right, .word { white-space: nowrap; }
.right { text-align: right; }
.right small { white-space: normal; }
td small, th small { display: block; font-size: 0.8125rem; font-weight: 400; color: var(--muted); }
td small.bad { color: var(--bad); }
ul.plain-list { list-style: none; }
ul.plain-list li + li { margin-top: 0.35rem; }
details summary { cursor: pointer; }
details summary:focus-visible { outline: 2px solid var(--blue-1); outline-offset: 3px; }
.records { display: grid; grid-template-columns: 1fr 1fr; gap: 1.5rem; margin-top: 1rem; }
pre { font-size: 0.75rem; line-height: 1.5; white-space: pre-wrap; background: var(--band); padding: 0.9rem 1rem; margin-top: 0.4rem; }
footer { margin-top: 3.25rem; padding-top: 1rem; border-top: 1px solid var(--hairline); color: var(--muted); font-size: 0.875rem; }

@media screen and (max-width: ${NARROW}) {
  body { padding: 1.75rem 1.1rem 3rem; }
  h1 { font-size: 1.9rem; }
  section { margin-top: 2.5rem; }
  .lead { font-size: 1.05rem; }
  .figures { grid-template-columns: 1fr 1fr; gap: 1.25rem; }
  .figures dd { font-size: 1.5rem; }
  .facts { grid-template-columns: 5rem 1fr; gap: 0.35rem 0.75rem; }
  .wide { display: none; }
  .narrow { display: block; }
  .records { grid-template-columns: 1fr; }
}

@media screen and (max-width: ${TABLES_AS_LISTS}) {
  table, tbody, tr, th, td { display: block; width: auto; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tbody tr { padding: 0.8rem 0; border-bottom: 1px solid var(--hairline); }
  tbody tr:first-child { border-top: 1px solid var(--hairline); }
  tbody th, tbody td { padding: 0; border: 0; white-space: normal; }
  tbody td[data-label] { display: grid; grid-template-columns: 6.5rem 1fr; gap: 0 0.75rem; text-align: left; margin-top: 0.15rem; }
  tbody td[data-label]::before { content: attr(data-label); color: var(--muted); }
  tbody th[data-label]::before { content: attr(data-label) " "; }
  tbody td.empty { display: none; }
}

@media print {
  @page { size: A4; margin: 15mm; }
  html { font-size: 9pt; }
  body { padding: 0; max-width: none; }
  section { margin-top: 2rem; }
  figure + figure { margin-top: 1rem; }
  h2, h3, thead { break-after: avoid; }
  figure, tr, .figures, .facts > dt { break-inside: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
