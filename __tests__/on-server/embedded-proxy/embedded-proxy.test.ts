/** The embedded proxy keeps the promises of the one it stands in for. */
import { promisesOfAffinity } from "../director/affinity-promises";
import { promisesOfAnswers } from "../director/answer-promises";
import { promisesUnderLoad } from "../director/load-promises";
import { promisesOfExchanges } from "../director/exchange-promises";
import { promisesOfLimits } from "../director/limit-promises";
import { promisesToNeighbours } from "../director/neighbour-promises";
import { promisesAcrossProtocols } from "../director/protocol-promises";
import { embedded } from "../director/proxy-kinds";
import { promisesOfAProxy } from "../director/proxy-promises";

describe("the embedded proxy", () => {
  promisesOfAProxy(embedded);
  describe("in its counts of answers", () => promisesOfAnswers(embedded));
  describe("with affinity to a server", () => promisesOfAffinity(embedded));
  describe("across protocols", () => promisesAcrossProtocols(embedded));
  describe("in each exchange", () => promisesOfExchanges(embedded));
  describe("to everyone else", () => promisesToNeighbours(embedded));
  describe("with limits", () => promisesOfLimits(embedded));
  describe("under load", () => promisesUnderLoad(embedded));
});
