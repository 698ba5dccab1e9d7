/**
 * Stores goals and updates in PostgreSQL, with the promises of store.js. Migrations create the tables before the
 * installation of a release that needs them: the application never changes a table.
 */
"use strict";

const crypto = require("node:crypto");
const { Pool } = require("./vendor/pg");
const { isId } = require("./store");
const { goalOwner } = require("./schema");

/** Two instances of two releases on one machine share the database's connections. */
const CONNECTIONS = 8;
const CONNECT_TIMEOUT_MS = 5_000;

const GOAL = `id, title, description, ${goalOwner} AS author, created_at AS "createdAt"`;
const UPDATE = `id, goal_id AS "goalId", text, progress, author, created_at AS "createdAt"`;

async function openDatabaseStore(connectionString) {
  const pool = new Pool({ connectionString, max: CONNECTIONS, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  // The next request replaces a broken idle connection.
  pool.on("error", (error) => console.error(`database: ${error.message}`));
  // Detects a database that does not fit this release before the first request.
  await pool.query(`SELECT ${GOAL} FROM goals LIMIT 0`);
  return new DatabaseStore(pool);
}

class DatabaseStore {
  #pool;

  constructor(pool) {
    this.#pool = pool;
  }

  async addGoal({ title, description, author }) {
    const sql = `INSERT INTO goals (id, title, description, ${goalOwner}, created_at) VALUES ($1, $3, $4, $5, $2) RETURNING ${GOAL}`;
    const [goal] = await this.#rows(sql, [...newId(), title, description, author]);
    return goal;
  }

  async addUpdate(goalId, { text, progress, author }) {
    const sql = `INSERT INTO updates (id, goal_id, text, progress, author, created_at) VALUES ($1, $3, $4, $5, $6, $2) RETURNING ${UPDATE}`;
    const [update] = await this.#rows(sql, [...newId(), goalId, text, progress, author]);
    return update;
  }

  /** The goal, or null. */
  async goal(id) {
    if (!isId(id)) return null;
    const [goal = null] = await this.#rows(`SELECT ${GOAL} FROM goals WHERE id = $1`, [id]);
    return goal;
  }

  /** One page of ids, newest first, of goals older than `after`; `next` is the `after` of the next page, or null. */
  async goalIds(page) {
    const { goals, next } = await this.goalPage(page);
    return { ids: goals.map(({ id }) => id), next };
  }

  async goalPage({ limit, after }) {
    const sql = `SELECT ${GOAL} FROM goals WHERE $1::text IS NULL OR id < $1 ORDER BY id DESC LIMIT $2`;
    const goals = await this.#rows(sql, [after ?? null, limit + 1]);
    const isLast = goals.length <= limit;
    return { goals: goals.slice(0, limit), next: isLast ? null : goals[limit - 1].id };
  }

  /** The updates of a goal, oldest first. */
  updatesOf(goalId) {
    return this.#rows(`SELECT ${UPDATE} FROM updates WHERE goal_id = $1 ORDER BY id`, [goalId]);
  }

  /** The goals again, each with the progress of its latest update; 0 without an update. */
  async withProgress(goals) {
    const sql = `SELECT DISTINCT ON (goal_id) goal_id, progress FROM updates WHERE goal_id = ANY($1) ORDER BY goal_id, id DESC`;
    const latest = await this.#rows(sql, [goals.map(({ id }) => id)]);
    const progress = new Map(latest.map((update) => [update.goal_id, update.progress]));
    return goals.map((goal) => ({ ...goal, progress: progress.get(goal.id) ?? 0 }));
  }

  async #rows(sql, values) {
    const { rows } = await this.#pool.query(sql, values);
    return rows.map((row) => (row.createdAt ? { ...row, createdAt: row.createdAt.toISOString() } : row));
  }
}

/** An id that begins with its time, and that time. */
function newId() {
  const now = Date.now();
  return [`${String(now).padStart(13, "0")}-${crypto.randomUUID()}`, new Date(now)];
}

module.exports = { openDatabaseStore };
