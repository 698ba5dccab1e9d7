/** The way of a user through a form, on a test clock. */
import type { Outcome } from "../../../cli/load/account";
import { FormUsers } from "../../../cli/load/form-users";
import type { FormRequest } from "../../../cli/load/form-users";
import { parseLoadPlan } from "../../../cli/load/plan";
import { SimulatedUsers } from "../../../cli/load/user";
import { plan } from "./application";

const good: Outcome = { failure: null, status: 200, code: null, releaseId: "1.0.0-1" };
const lost: Outcome = { ...good, isLost: true };
const refused: Outcome = { ...good, failure: "status 503", status: 503 };
const unanswered: Outcome = { ...good, failure: "time limit", status: null };

/** One user; without another choice each thought takes a second. */
function oneUser(): FormUsers {
  const parsed = parseLoadPlan(
    plan("http://x", {
      form: {
        users: 1,
        steps: [
          { path: "/first", fields: { title: "t-:marker" } },
          { path: "/second" },
          { path: "/third", fields: { text: "a b" }, status: 303, location: "/goals/" },
        ],
        lost: { status: 303, location: "/first" },
        acknowledges: true,
      },
    }),
  );
  const random = () => 0.5;
  const users = new SimulatedUsers(parsed, random);
  return new FormUsers({ form: parsed.form!, plan: parsed, users, runId: "run", random, now: 0 });
}

/** Answers well up to the third step. @returns its request */
function thirdStep(forms: FormUsers): FormRequest {
  forms.settled(forms.next(1000)!.filling, good, 1010);
  forms.settled(forms.next(1010)!.filling, good, 1020);
  return forms.next(2020)!;
}

test("a user thinks before a POST, and follows a redirect at once", () => {
  const forms = oneUser();
  expect(forms.next(999)).toBeUndefined();
  const first = forms.next(1000)!;
  expect(first).toMatchObject({ method: "POST", path: "/first", body: "title=t-run.form-1." });
  expect(first.contentType).toBe("application/x-www-form-urlencoded");
  // Until the answer there is no other request of this user.
  expect(forms.next(9000)).toBeUndefined();
  expect(forms.atOnce()).toEqual([]);
  expect(forms.settled(first.filling, good, 1010)).toEqual(["begun"]);
  const second = forms.next(1010)!;
  expect(second).toMatchObject({ method: "GET", path: "/second" });
  expect(second.marker).toBeUndefined();
  expect(forms.settled(second.filling, good, 1020)).toEqual([]);
  expect(forms.next(2019)).toBeUndefined();
  const third = forms.next(2020)!;
  expect(third).toMatchObject({ method: "POST", body: "text=a+b", marker: "run.form-1." });
  expect(forms.settled(third.filling, good, 2030)).toEqual(["completed"]);
});

test("after the last step another user begins, with another marker and without cookies", () => {
  const forms = oneUser();
  const third = thirdStep(forms);
  third.filling.user.receive(["session=1; Path=/"], "/", 0);
  forms.settled(third.filling, good, 2030);
  const next = forms.next(3030)!;
  expect(next).toMatchObject({ path: "/first", body: "title=t-run.form-2." });
  expect(next.filling.user.cookieHeader("/", 0)).toBeUndefined();
});

test("a lost session is counted once, and its user leaves", () => {
  const forms = oneUser();
  const third = thirdStep(forms);
  expect(forms.settled(third.filling, lost, 2030)).toEqual(["lost"]);
  expect(forms.next(3030)).toMatchObject({ path: "/first", body: "title=t-run.form-2." });
});

test("a failed step is done again after a thought", () => {
  const forms = oneUser();
  const third = thirdStep(forms);
  expect(forms.settled(third.filling, refused, 2030)).toEqual([]);
  expect(forms.next(3029)).toBeUndefined();
  expect(forms.next(3030)).toMatchObject({ path: "/third", marker: "run.form-1." });
});

test("the last step without an answer is not done again: it may have been saved", () => {
  const forms = oneUser();
  expect(forms.settled(thirdStep(forms).filling, unanswered, 2030)).toEqual([]);
  expect(forms.next(3030)).toMatchObject({ path: "/first", body: "title=t-run.form-2." });
});

test("an earlier step without an answer is done again", () => {
  const forms = oneUser();
  forms.settled(forms.next(1000)!.filling, unanswered, 1010);
  expect(forms.next(2010)).toMatchObject({ path: "/first", body: "title=t-run.form-1." });
});

test("those who are past the first step can be asked at once, the others have no session", () => {
  const forms = oneUser();
  expect(forms.atOnce()).toEqual([]);
  forms.settled(forms.next(1000)!.filling, good, 1010);
  forms.settled(forms.next(1010)!.filling, good, 1020);
  expect(forms.atOnce()).toMatchObject([{ path: "/third" }]);
  expect(forms.next(9000)).toBeUndefined();
});
