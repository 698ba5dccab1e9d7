/** The form for a new goal. */
"use strict";

const { html } = require("./html");
const { layout, problemLine } = require("./layout");

function newGoalPage({ visit, fields = {}, problem = null }) {
  const content = html`
    <form method="post" action="/goals">
      <h2>Set a goal</h2>
      ${problemLine(problem)}
      <label>Title <input name="title" required maxlength="200" value="${fields.title}" /></label>
      <label
        >Description <textarea name="description" maxlength="5000">${fields.description}</textarea>
      </label>
      <button>Save</button>
    </form>
    <p><a href="/goals/new/title">Set it in three steps</a></p>
  `;
  return layout({ ...visit, title: "Set a goal", content });
}

module.exports = { newGoalPage };
