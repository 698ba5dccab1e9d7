/** The newest goals, and how many of them are reached. */
"use strict";

const { html } = require("./html");
const { layout } = require("./layout");
const { goalCard, isReached } = require("./goal-card");

function goalsPage({ visit, goals }) {
  const none = html`<p>No goals yet. What do you want to reach?</p>`;
  const content = html`
    <p><a href="/goals/new">Set a goal</a></p>
    <p class="about">${goals.filter(isReached).length} of the newest ${goals.length} reached</p>
    ${
      goals.length === 0
        ? none
        : html`<ul>
            ${goals.map((goal) => html`<li>${goalCard(goal)}</li>`)}
          </ul>`
    }
  `;
  return layout({ ...visit, title: "Goals", content });
}

module.exports = { goalsPage };
