CREATE TABLE goals (
  id text PRIMARY KEY,
  title text NOT NULL,
  description text NOT NULL,
  author text,
  created_at timestamptz NOT NULL
);

CREATE TABLE updates (
  id text PRIMARY KEY,
  goal_id text NOT NULL REFERENCES goals (id),
  text text NOT NULL,
  progress integer NOT NULL,
  author text,
  created_at timestamptz NOT NULL
);

CREATE INDEX updates_of_goal ON updates (goal_id, id);
