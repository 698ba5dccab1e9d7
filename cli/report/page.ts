/** The document of a report and the parts common to all reports: one file, without scripts and requests. */
import { html, Html } from "./html";
import type { Piece } from "./html";
import { STYLE } from "./style";

/** Whatever a receipt contains, the page loads and runs nothing. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

export interface Page {
  /** The subject of the report, above the headline. */
  readonly kind: Piece;
  readonly title: string;
  /** Answers "did users notice?". */
  readonly headline: string;
  /** Below the headline. */
  readonly opening: Piece;
  readonly sections: Piece;
  readonly footer: Piece;
}

export function renderPage({ kind, title, headline, opening, sections, footer }: Page): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${CONTENT_SECURITY_POLICY}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="referrer" content="no-referrer" />
        <title>${title}</title>
        <style>
          ${new Html(STYLE)}
        </style>
      </head>
      <body>
        <header>
          <p class="kind">
            <span class="mark" aria-hidden="true"
              ><i style="background:var(--blue-1)"></i><i style="background:var(--green-1)"></i></span
            ><span>${kind}</span>
          </p>
          <h1>${headline}</h1>
          ${opening}
        </header>
        <main>${sections}</main>
        <footer><p>${footer}</p></footer>
      </body>
    </html> `.source;
}

export interface Figure {
  readonly label: string;
  readonly value: string;
  readonly note?: string;
  readonly tone?: "good" | "bad";
}

/** The key figures. */
export function figures(all: readonly Figure[]): Html {
  return html`<dl class="figures">
    ${all.map(
      ({ label, value, note, tone }) =>
        html`<div>
          <dt>${label}</dt>
          <dd class="${tone}">${value}</dd>
          ${note !== undefined && html`<dd>${note}</dd>`}
        </div>`,
    )}
  </dl>`;
}

/** Omits facts without a value. */
export function facts(all: readonly (readonly [string, Piece])[]): Html {
  const known = all.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return html`<dl class="facts">
    ${known.map(
      ([name, value]) =>
        html`<dt>${name}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`;
}

export function section(title: string, ...content: readonly Piece[]): Html {
  return html`<section>
    <h2>${title}</h2>
    ${content}
  </section> `;
}

export interface Column {
  readonly title: string;
  readonly align?: "right";
}

/** The first cell of a row is its heading. On a narrow screen a row becomes a list of titles and values. */
export function table(
  caption: string,
  columns: readonly Column[],
  rows: readonly (readonly Piece[])[],
): Html {
  const align = (column: Column | undefined): string => (column?.align === "right" ? "right" : "");
  // Explicit roles: browsers drop the implicit ones if CSS shows a table as a list.
  return html`<table role="table" aria-label="${caption}">
    <thead role="rowgroup">
      <tr role="row">
        ${columns.map(
          (column) => html`<th role="columnheader" scope="col" class="${align(column)}">${column.title}</th>`,
        )}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${rows.map(
        ([heading, ...cells]) =>
          html`<tr role="row">
            <th role="rowheader" scope="row" data-label="${columns[0]?.title}">${heading}</th>
            ${cells.map(
              (cell, index) =>
                html`<td
                  role="cell"
                  data-label="${columns[index + 1]?.title}"
                  class="${isEmpty(cell) ? "empty" : align(columns[index + 1])}"
                >
                  <div>${cell}</div>
                </td>`,
            )}
          </tr> `,
      )}
    </tbody>
  </table>`;
}

function isEmpty(cell: Piece): boolean {
  return cell === null || cell === undefined || cell === "" || cell === false;
}

/** Longer words may break anywhere: otherwise the page would be wider than its window. */
const LONG_WORD = 24;

/** Free text in a table. */
export function text(content: string): Html {
  const isLong = content.split(/\s/).some((word) => word.length > LONG_WORD);
  return html`<span class="${isLong && "long"}">${content}</span>`;
}

/** One word without a line break. */
export function word(one: string): Html {
  return html`<span class="${one.length > LONG_WORD ? "long" : "word"}">${one}</span>`;
}

/** A release id, as code. */
export function id(releaseId: string | null): Html {
  return releaseId === null
    ? html`<span class="muted">nothing</span>`
    : html`<code>${word(releaseId)}</code>`;
}

export function move(from: string | null, to: string | null): Html {
  if (from === to) return html`${id(to)} stays`;
  return html`${id(from)} <span aria-label="to">→</span> ${id(to)}`;
}
