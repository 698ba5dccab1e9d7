/** The look of this release: green, for growth. */
"use strict";

const { css } = require("./html");

module.exports = {
  heading: "SocialGoal: see how far you have come",
  style: css`
    body {
      font:
        1rem/1.5 system-ui,
        sans-serif;
      max-width: 44rem;
      margin: 0 auto;
      padding: 0 1rem;
      color: #222;
    }
    header {
      border-bottom: 4px solid #1d7a46;
      margin-bottom: 1rem;
    }
    h1 a {
      color: #1d7a46;
      text-decoration: none;
    }
    label {
      display: block;
      margin: 0.5rem 0;
    }
    progress {
      accent-color: #1d7a46;
    }
    .problem {
      color: #a00;
    }
    .notice {
      background: #e8f5ee;
      padding: 0.5rem;
    }
    .about {
      color: #666;
    }
  `,
};
