/** embedded while sessions drain, and while one server does. */
import { promisesOfDraining } from "./draining-promises";
import { promisesOfServerDrain } from "./server-drain-promises";
import { describeWith, embedded } from "./proxy-kinds";

describeWith(embedded)("embedded while sessions drain", () => promisesOfDraining(embedded));

describeWith(embedded)("embedded while one server drains", () => promisesOfServerDrain(embedded));
