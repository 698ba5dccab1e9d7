/** Which answers count as trials. */
import { failed, Trials } from "../../../../on-server/director/verdict/trials";
import { ratio } from "../../../../release/sequential-test";

/** Ten users, each with so many requests, of which one in a hundred failed. */
function sample(requests: number) {
  const client = { requests, errors: requests / 100, latency: {} };
  const clients = Object.fromEntries(
    Array.from({ length: 10 }, (_, index) => [`127.0.1.${index}|1`, client]),
  );
  return { requests: 10 * requests, errors: client.errors * 10, latency: {}, clients };
}

const trials = () => new Trials(failed, (client) => client);

test("a user who sends much in a long time counts for as much as in many short ones", () => {
  const { events, ...all } = trials().count(0, { ...sample(2000), seconds: 60 });
  expect(events).toBe(10);
  expect(ratio({ events, ...all })).toBeCloseTo(0.01, 2);
});

test("a user who sends much at once counts little", () => {
  const good = { requests: 5000, errors: 0, latency: {} };
  const { clients } = sample(100);
  const all = { requests: 6000, errors: 10, latency: {}, clients: { ...clients, "127.0.2.1|2": good } };
  expect(trials().count(0, all).trials).toBeLessThan(600);
});
