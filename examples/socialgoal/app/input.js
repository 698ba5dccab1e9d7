/** Validates goals, updates and names from forms and from the API. */
"use strict";

const { Refusal } = require("./refusal");

const LONGEST = { title: 200, description: 5_000, text: 2_000, name: 60 };

function text(value, field, { required = true } = {}) {
  if (value === undefined && !required) return "";
  if (typeof value !== "string") throw new Refusal(400, `'${field}' must be a text`);
  const trimmed = value.trim();
  if (required && trimmed === "") throw new Refusal(400, `'${field}' must not be empty`);
  if (trimmed.length > LONGEST[field]) {
    throw new Refusal(400, `'${field}' (${trimmed.length} characters) must be at most ${LONGEST[field]}`);
  }
  return trimmed;
}

function percentage(value, field) {
  const number = typeof value === "string" && /^\d{1,3}$/.test(value.trim()) ? Number(value) : value;
  if (!Number.isInteger(number) || number < 0 || number > 100) {
    throw new Refusal(400, `'${field}' must be a whole number from 0 to 100`);
  }
  return number;
}

const titleFrom = (fields) => ({ title: text(fields.title, "title") });

const descriptionFrom = (fields) => ({
  description: text(fields.description, "description", { required: false }),
});

const goalFrom = (fields) => ({ ...titleFrom(fields), ...descriptionFrom(fields) });

const updateFrom = (fields) => ({
  text: text(fields.text, "text"),
  progress: percentage(fields.progress, "progress"),
});

const nameFrom = (fields) => text(fields.name, "name").replace(/\s+/g, " ");

module.exports = { descriptionFrom, goalFrom, nameFrom, titleFrom, updateFrom };
