/**
 * Stores goals and updates in SQL Server, with the promises of database-store.js. No statement has an OUTPUT clause: SQL
 * Server refuses it with the trigger that keeps the columns of two releases equal.
 */
"use strict";

const { isId, newId, timeOf } = require("./store");
const { goalOwner } = require("./schema");
const { SqlServerPool } = require("./sql-server-pool");

const GOAL = `id, title, description, [${goalOwner}] AS author, created_at AS createdAt`;
const UPDATE = `id, goal_id AS goalId, [text], progress, author, created_at AS createdAt`;

async function openSqlServerStore(address) {
  const pool = new SqlServerPool(address);
  // Detects a database that does not fit this release before the first request.
  await pool.query(`SELECT TOP (0) ${GOAL} FROM dbo.goals`);
  return new SqlServerStore(pool);
}

class SqlServerStore {
  #pool;

  constructor(pool) {
    this.#pool = pool;
  }

  async addGoal({ title, description, author }) {
    const id = newId();
    const sql = `INSERT dbo.goals (id, title, description, [${goalOwner}], created_at) VALUES (@id, @title, @description, @author, @createdAt)`;
    await this.#pool.query(sql, { id, title, description, author, createdAt: new Date(timeOf(id)) });
    return { id, title, description, author, createdAt: timeOf(id) };
  }

  async addUpdate(goalId, { text, progress, author }) {
    const id = newId();
    const sql = `INSERT dbo.updates (id, goal_id, [text], progress, author, created_at) VALUES (@id, @goalId, @text, @progress, @author, @createdAt)`;
    await this.#pool.query(sql, { id, goalId, text, progress, author, createdAt: new Date(timeOf(id)) });
    return { id, goalId, text, progress, author, createdAt: timeOf(id) };
  }

  /** The goal, or null. */
  async goal(id) {
    if (!isId(id)) return null;
    const [goal = null] = await this.#rows(`SELECT ${GOAL} FROM dbo.goals WHERE id = @id`, { id });
    return goal;
  }

  /** One page of ids, newest first, of goals older than `after`; `next` is the `after` of the next page, or null. */
  async goalIds(page) {
    const { goals, next } = await this.goalPage(page);
    return { ids: goals.map(({ id }) => id), next };
  }

  async goalPage({ limit, after }) {
    const sql = `SELECT TOP (@count) ${GOAL} FROM dbo.goals WHERE @after IS NULL OR id < @after ORDER BY id DESC`;
    const goals = await this.#rows(sql, { count: limit + 1, after: after ?? null });
    const isLast = goals.length <= limit;
    return { goals: goals.slice(0, limit), next: isLast ? null : goals[limit - 1].id };
  }

  /** The updates of a goal, oldest first. */
  updatesOf(goalId) {
    return this.#rows(`SELECT ${UPDATE} FROM dbo.updates WHERE goal_id = @goalId ORDER BY id`, { goalId });
  }

  /** The goals again, each with the progress of its latest update; 0 without an update. */
  async withProgress(goals) {
    if (goals.length === 0) return [];
    const values = Object.fromEntries(goals.map(({ id }, index) => [`id${index}`, id]));
    const sql = `SELECT goal_id AS goalId, progress FROM (
        SELECT goal_id, progress, ROW_NUMBER() OVER (PARTITION BY goal_id ORDER BY id DESC) AS place
          FROM dbo.updates WHERE goal_id IN (${Object.keys(values)
            .map((name) => `@${name}`)
            .join(", ")})
      ) AS latest WHERE place = 1`;
    const latest = await this.#rows(sql, values);
    const progress = new Map(latest.map((update) => [update.goalId, update.progress]));
    return goals.map((goal) => ({ ...goal, progress: progress.get(goal.id) ?? 0 }));
  }

  async #rows(sql, values) {
    const rows = await this.#pool.query(sql, values);
    return rows.map((row) =>
      row.createdAt ? { ...row, createdAt: new Date(row.createdAt).toISOString() } : row,
    );
  }
}

module.exports = { openSqlServerStore };
