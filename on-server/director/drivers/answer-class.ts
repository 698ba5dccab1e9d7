/** Which class an answer belongs to, and whether it is an error. Pure. */
import type { AnswerClass } from "./driver";

/** @param status of a whole answer from the slot, which is from 100 on. */
export function classOf(status: number): AnswerClass {
  if (status < 300) return "2xx";
  if (status < 400) return "3xx";
  return status < 500 ? "4xx" : "5xx";
}

/** `none` and 5xx together are the errors of a slot. */
export function isError(answerClass: AnswerClass): boolean {
  return answerClass === "5xx" || answerClass === "none";
}
