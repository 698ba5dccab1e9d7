/** embedded while sessions drain. */
import { promisesOfDraining } from "./draining-promises";
import { describeWith, embedded } from "./proxy-kinds";

describeWith(embedded)("embedded while sessions drain", () => promisesOfDraining(embedded));
