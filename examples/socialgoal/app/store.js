/**
 * Stores goals and updates in the data folder, one JSON file each, never changed once written.
 *
 *   goals/<goal id>.json   updates/<goal id>.<update id>.json   temporary/
 *
 * An id begins with its time, so the order of the names is the order in time: a list needs all file names, but only the
 * contents that it shows. A rename creates each file atomically, so several processes may write and list at once. (Data
 * survives a killed process, not a power cut: there is no fsync.)
 */
"use strict";

const crypto = require("node:crypto");
const fs = require("node:fs/promises");
const path = require("node:path");

const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
const ID = new RegExp(`^\\d{13}-${UUID}$`);

const isId = (text) => ID.test(text);
const newId = () => `${String(Date.now()).padStart(13, "0")}-${crypto.randomUUID()}`;
const timeOf = (id) => new Date(Number(id.slice(0, 13))).toISOString();

async function openStore(dataFolder) {
  const [goals, updates, temporary] = ["goals", "updates", "temporary"].map((name) =>
    path.join(dataFolder, name),
  );
  for (const folder of [goals, updates, temporary]) await fs.mkdir(folder, { recursive: true });
  return new Store(new RecordFolder(goals, temporary), new RecordFolder(updates, temporary));
}

class Store {
  constructor(goals, updates) {
    this.goals = goals;
    this.updates = updates;
  }

  async addGoal({ title, description, author }) {
    const id = newId();
    return this.goals.write(id, { id, title, description, author, createdAt: timeOf(id) });
  }

  async addUpdate(goalId, { text, progress, author }) {
    const id = newId();
    const update = { id, goalId, text, progress, author, createdAt: timeOf(id) };
    return this.updates.write(`${goalId}.${id}`, update);
  }

  /** The goal, or null. */
  async goal(id) {
    return isId(id) ? this.goals.read(id) : null;
  }

  /** One page of ids, newest first, of goals older than `after`; `next` is the `after` of the next page, or null. */
  async goalIds({ limit, after }) {
    const names = await this.goals.names();
    const end = after === undefined ? names.length : firstNotBefore(names, after);
    const start = Math.max(0, end - limit);
    return { ids: names.slice(start, end).reverse(), next: start > 0 ? names[start] : null };
  }

  async goalPage(page) {
    const { ids, next } = await this.goalIds(page);
    const goals = await Promise.all(ids.map((id) => this.goals.read(id)));
    return { goals: goals.filter(Boolean), next };
  }

  /** The updates of a goal, oldest first. */
  async updatesOf(goalId) {
    const names = namesOf(await this.updates.names(), goalId);
    return (await Promise.all(names.map((name) => this.updates.read(name)))).filter(Boolean);
  }

  /** The goals again, each with the progress of its latest update; 0 without an update. */
  async withProgress(goals) {
    const names = await this.updates.names();
    return Promise.all(
      goals.map(async (goal) => {
        const latest = namesOf(names, goal.id).at(-1);
        const update = latest === undefined ? null : await this.updates.read(latest);
        return { ...goal, progress: update?.progress ?? 0 };
      }),
    );
  }
}

/** A folder of small JSON files that are only ever added. */
class RecordFolder {
  /** The maximum number of records in memory. */
  static CACHED = 20_000;

  #folder;
  #temporary;
  #records = new Map();
  #known = new Set();
  #names = [];
  #listing = Promise.resolve();
  #nextListing = null;

  constructor(folder, temporary) {
    this.#folder = folder;
    this.#temporary = temporary;
  }

  async write(name, record) {
    const temporary = path.join(this.#temporary, crypto.randomUUID());
    await fs.writeFile(temporary, JSON.stringify(record));
    await fs.rename(temporary, this.#file(name));
    this.#remember(name, record);
    return record;
  }

  /** The record, or null. */
  async read(name) {
    const cached = this.#records.get(name);
    if (cached) return cached;
    try {
      const record = JSON.parse(await fs.readFile(this.#file(name), "utf8"));
      this.#remember(name, record);
      return record;
    } catch (error) {
      if (error.code === "ENOENT") return null;
      throw error;
    }
  }

  /**
   * All names in order. Requests share a listing, but only one that began after they arrived: a running listing may miss
   * what another process has acknowledged since.
   */
  names() {
    if (!this.#nextListing) {
      this.#nextListing = this.#listing.then(() => {
        this.#nextListing = null;
        return this.#list();
      });
      this.#listing = this.#nextListing.catch(() => {});
    }
    return this.#nextListing;
  }

  async #list() {
    const files = await fs.readdir(this.#folder);
    const found = files
      .filter((file) => file.endsWith(".json"))
      .map((file) => file.slice(0, -".json".length));
    const added = found.filter((name) => !this.#known.has(name));
    if (found.length !== this.#known.size + added.length) {
      this.#known = new Set(found);
      this.#names = found.sort();
    } else if (added.length > 0) {
      for (const name of added) this.#known.add(name);
      this.#names = [...this.#names, ...added.sort()].sort();
    }
    return this.#names;
  }

  #remember(name, record) {
    if (this.#records.size >= RecordFolder.CACHED) this.#records.delete(this.#records.keys().next().value);
    this.#records.set(name, record);
  }

  #file(name) {
    return path.join(this.#folder, `${name}.json`);
  }
}

/** The index of the first name that is not before `bound`, in sorted names. */
function firstNotBefore(names, bound) {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (names[middle] < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The names `<goal id>.<update id>` of one goal: "/" is the character after ".". */
function namesOf(names, goalId) {
  return names.slice(firstNotBefore(names, `${goalId}.`), firstNotBefore(names, `${goalId}/`));
}

module.exports = { isId, newId, openStore, timeOf };
