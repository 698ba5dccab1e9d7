/** One goal with its updates, and the form for the next one. */
"use strict";

const { html } = require("./html");
const { layout, problemLine } = require("./layout");
const { byLine } = require("./by-line");
const { progress } = require("./progress");

function goalPage({ visit, goal, updates, fields = {}, problem = null }) {
  const content = html`
    <h2>${goal.title}</h2>
    <p>${goal.description}</p>
    <p>${progress(goal.progress)} ${byLine(goal)}</p>
    <ol>
      ${updates.map((update) => html`<li>${update.text} (${update.progress} %) ${byLine(update)}</li>`)}
    </ol>
    <form method="post" action="/goals/${goal.id}/updates">
      <h3>How is it going?</h3>
      ${problemLine(problem)}
      <label>Update <input name="text" required maxlength="2000" value="${fields.text}" /></label>
      <label>
        Progress in %
        <input
          name="progress"
          type="number"
          required
          min="0"
          max="100"
          value="${fields.progress ?? goal.progress}"
        />
      </label>
      <button>Post</button>
    </form>
  `;
  return layout({ ...visit, title: goal.title, content });
}

module.exports = { goalPage };
