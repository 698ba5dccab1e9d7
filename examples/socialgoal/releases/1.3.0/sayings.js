/** A saying a day. */
"use strict";

const SAYINGS = [
  { text: "Begin: that is half of it.", by: "Horace" },
  { text: "Well done is better than well said.", by: "Benjamin Franklin" },
  { text: "Little by little, the bird builds its nest.", by: "a proverb" },
  { text: "Fall seven times, stand up eight.", by: "a proverb" },
  { text: "Dripping water hollows out stone.", by: "Ovid" },
  { text: "The best time to plant a tree was twenty years ago; the second best is now.", by: "a proverb" },
];

const DAYS = 7;

module.exports = { DAYS, SAYINGS };
