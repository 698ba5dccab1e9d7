/** The frame of every page. */
"use strict";

const { html } = require("./html");
const { heading, style } = require("./theme");

function layout({ title, visitor, notice, content }) {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${title} - SocialGoal</title>
        <style>
          ${style}
        </style>
      </head>
      <body>
        <header>
          <h1><a href="/">${heading}</a></h1>
          ${account(visitor)}
        </header>
        ${notice && html`<p class="notice">${notice}</p>`}
        <main>${content}</main>
      </body>
    </html> `;
}

/** @param visitor undefined: unknown on this page; null: not signed in. */
function account(visitor) {
  if (visitor === undefined) return null;
  if (visitor === null) return html`<p><a href="/account/login">Sign in</a></p>`;
  return html`<form method="post" action="/account/logout">
    Signed in as <b>${visitor}</b> <button>Sign out</button>
  </form>`;
}

const problemLine = (problem) => problem && html`<p class="problem" role="alert">${problem}</p>`;

module.exports = { layout, problemLine };
